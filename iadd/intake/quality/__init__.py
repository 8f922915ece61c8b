"""Looks for what a model would suffer from, and splits the images."""
