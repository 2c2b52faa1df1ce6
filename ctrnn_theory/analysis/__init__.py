"""Analyses of a network and its noise: noise-induced bias, course in time, preferred noise, operating points."""
