"""How long a network of low rank remembers a value, with its noise, without it, and with a smoothed activation.

memory
    The public function: arguments, settings, and the choice of a method.
closure
    Moments in time by the Gaussian closure of the latent variables, and its error.
density
    Moments in time from the Markov chain of the latent variables, for a constant input.
trials
    The same by simulation.
result
    The result.
"""
