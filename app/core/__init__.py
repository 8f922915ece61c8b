"""Foundations of every noun: settings, database, storage, queue, security, errors."""
