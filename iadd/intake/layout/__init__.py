"""Reads the class, split and patient of each file from folders and tables."""
