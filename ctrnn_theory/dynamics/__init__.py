"""The network without noise: where a state settles, its fixed points and its linear response."""
