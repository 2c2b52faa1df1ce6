"""The Markov operator of two and three neurons, on functions that are interpolated on a Chebyshev grid.

chebyshev_grid
    Tensor Chebyshev interpolation on a box, and operators on it.
operator
    The operator of a network, row by row.
smooth_rows
    Averages over noise inside, from few pre-activations.
shared_noise
    The compiled average over two variates that two neurons share.
linear_system
    The equations of the stationary law, factored or iterated.
state_box
    The box that holds the law.
chain
    The stationary law, with the box widened and the grid refined until the error is small.
"""
