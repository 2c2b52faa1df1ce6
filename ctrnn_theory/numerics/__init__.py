"""Rules of quadrature and elementary functions."""
