"""The law of a network in time."""
