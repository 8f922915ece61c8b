"""Removes what names a patient."""
