"""The whole service on one machine, as child processes."""
