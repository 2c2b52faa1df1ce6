"""Networks of low rank as Markov chains of their latent variables."""
