"""Escape: which attractor noise leaves, where to, and when."""
