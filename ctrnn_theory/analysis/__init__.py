"""What users ask of a network and its noise: the bias, its curve, the law in time, the preferred noise."""
