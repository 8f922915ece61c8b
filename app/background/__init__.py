"""Background work of the portal."""
