"""Names of the splits of a dataset."""

SPLITS = ("train", "validation", "test")
"""An image's split is an index into this tuple."""
