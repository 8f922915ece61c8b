"""Whose row a worker takes next, and what a waiting row waits for."""
