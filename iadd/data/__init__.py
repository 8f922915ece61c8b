"""Reads, decodes, splits, normalises and augments images."""
