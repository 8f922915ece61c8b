"""What every long computation needs: devices, precision, checkpoints, progress, memory."""
