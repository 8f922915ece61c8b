"""Copies everything that a portal keeps, while it runs, and puts it back into an empty place."""
