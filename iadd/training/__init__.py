"""Trains one network or several, and predicts with them."""
