"""The loss of a trained network against its noise."""
