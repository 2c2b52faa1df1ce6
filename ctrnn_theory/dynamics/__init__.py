"""The network without noise: where a state settles, its fixed points, its linear response."""
