"""The Markov operator of the latent variables of a network of low rank, in one to three dimensions.

step
    One step: the sum of the rates of all neurons, and its cumulants.
table
    The cumulants as functions of the latent variables.
chain
    The operator on a Chebyshev grid, its stationary law, and that of the neurons.
solver
    A box that holds the law, and a grid that is refined until it stays.
fixed_points
    Fixed points of the mean of a step, and where they are looked for.
slow_manifold
    Curves between the fixed points, along which the mean of a step moves slowly.
diffusion
    Their diffusion approximation, for small steps.
"""
