"""Celery workers: a task claims a row, calls iadd, stores the result."""

import os

# Read when torch loads its OpenMP library, so it is set before anything else. By default threads
# that wait for each other spin; where a core has anything else to do (the portal, another worker)
# two threads then take four times as long as one. Sleeping costs microseconds.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
