"""The Gaussian closure: one step of the moments, and the search for their fixed point."""
