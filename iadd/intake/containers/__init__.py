"""Opens archives and folders of untrusted files."""
