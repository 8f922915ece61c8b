"""Expert trajectories: teachers, their snapshots, and the buffer that stores them."""
