"""Reading labelled images from folders and archives."""

from iadd.imageset import SPLITS, ImageSet

__all__ = ["SPLITS", "ImageSet"]
