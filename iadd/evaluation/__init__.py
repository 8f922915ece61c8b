"""What a distilled set is worth: networks trained on it, tested on real images."""
