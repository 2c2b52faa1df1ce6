"""Grids of parameters: a specification, its points on all cores or a cluster, and a dataset with named axes."""
