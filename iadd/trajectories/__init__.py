"""Expert trajectories: teachers, their snapshots, and the buffer that holds them."""
