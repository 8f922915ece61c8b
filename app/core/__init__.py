"""What every noun stands on: settings, database, storage, queue, security, errors."""
