"""What noise does to a trained network: its bias for each input, the noise that it prefers, and how to do without."""
