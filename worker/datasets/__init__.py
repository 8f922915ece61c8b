"""Checks archives into datasets: read, report, withdraw."""
