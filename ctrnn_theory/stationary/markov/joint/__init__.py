"""The Markov operator of neurons together with their coloured sources, of which there are at most three in all.

It takes what the operators of white independent noise do not: coloured noise, noise that neurons share, multiplicative
noise, and networks in voltage form.

compression
    Rules of few points for a law of many points.
step
    One step: the variates that neurons share, and the law of each neuron's rate given those.
operator
    Rows of the operator on a Chebyshev grid.
pilot
    A few simulated steps, which say where the state lives.
chain
    The stationary law, with the box widened and the grid refined until the law no longer changes.
"""
