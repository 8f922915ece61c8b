"""Evaluates distilled sets: trains networks on them and tests these on real images."""
