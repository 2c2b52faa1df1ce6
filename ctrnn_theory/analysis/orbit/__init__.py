"""Orbits that noise sustains: rotation of the stationary law, dwell times by region, and emitted symbols."""
