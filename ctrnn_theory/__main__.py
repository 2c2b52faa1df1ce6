"""``python -m ctrnn_theory``: the command line."""

from ctrnn_theory.cli.main import main

main()
