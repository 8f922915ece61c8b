"""Training one network or several, and predicting with them."""
