"""Trains with the sets that other hospitals released."""
