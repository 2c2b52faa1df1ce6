"""``python -m paper_figs [NAME ...] [--quick] [--out DIR]`` does the same as ``ctrnn-theory figures``."""

import sys

from ctrnn_theory.cli.main import main

main(["figures", *sys.argv[1:]])
