"""Escape: from which attractor noise carries the state, where to, and when."""
