"""Training with what other hospitals released."""
