"""One module per command; ``iadd.cli`` registers them."""
