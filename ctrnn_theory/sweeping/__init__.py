"""Sweeps over grids of parameters: a specification, its points on all cores or a cluster, and a dataset of results."""
