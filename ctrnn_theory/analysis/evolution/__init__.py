"""Mean and covariance of a network's state in time."""
