"""The loss of a linear readout that is trained under one noise and tested under another, without a sample."""
