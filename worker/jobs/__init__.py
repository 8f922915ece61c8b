"""A job's life: claim, lease, heartbeat, checkpoint, end."""
