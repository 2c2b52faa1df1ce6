"""The Markov operator of networks of one to three neurons: its range, its stationary law and its spectrum."""
