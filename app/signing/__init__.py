"""Signatures: keys, canonical JSON, signed bundles. Works on the base install."""
