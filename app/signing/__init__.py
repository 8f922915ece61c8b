"""Signatures: keys, canonical JSON, and what they sign. Works on the base install."""
