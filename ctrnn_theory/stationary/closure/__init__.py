"""One step of the Gaussian and of the cumulant closure, and the search for its fixed point, for a batch of networks."""
