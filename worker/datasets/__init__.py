"""From an archive to a dataset: read, check, report, withdraw."""
