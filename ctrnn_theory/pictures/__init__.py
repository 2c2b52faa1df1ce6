"""Pictures of single subjects, each in its file; all are reached through :mod:`ctrnn_theory.plotting`."""
