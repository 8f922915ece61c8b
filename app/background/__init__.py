"""What the portal does by itself, in periodic threads."""
