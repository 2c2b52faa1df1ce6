"""One step of the Gaussian and of the cumulant closure, and the search for its fixed point, for a batch of networks.

closure_map
    What the search needs of a map.
gaussian_step
    The map of rate networks with white noise.
augmented_step
    The map of the Gaussian closure for every kind of network and noise.
choice
    Which of these two fits a network.
cumulant_step, cumulants
    The map with third cumulants, and its states.
own_cumulants, multipliers, multiplied_arguments
    Third cumulants with f in them, and what noise that multiplies makes of them.
settle, leap, strides, newton
    The path of the map in strides, and Newton's method at its end, or after a few steps of a large network.
guard
    Whether the map leads to the end found.
chords, lyapunov
    What takes the place of eigenvalues and of Newton's method in networks of MANY neurons or more.
"""
