"""Reads what hospitals have into grey pictures with a class, a split and no identity; no torch."""
