"""Between portals: a hospital's own publishes to a hub, which shows what it can verify."""
