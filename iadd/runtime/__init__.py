"""Services of long computations: devices, precision, checkpoints, progress, memory."""
