"""The loss of a trained network against the noise that it is tested with, and the level that it prefers."""
