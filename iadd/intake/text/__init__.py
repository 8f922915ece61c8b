"""Finds text that is burned into pictures."""
