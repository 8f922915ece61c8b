"""Differential privacy: the ledger of reads, the accountant, and the only way to private images."""
