"""What to cite."""

from __future__ import annotations

SOFTWARE = """\
@software{{ctrnn_theory,
  author  = {{{{The ctrnn\\_theory developers}}}},
  title   = {{{{ctrnn\\_theory: noise in recurrent neural networks, theory first}}}},
  version = {{{version}}},
  license = {{MIT}},
}}"""
PAPER = """\
@article{eckstein2026paradoxical,
  author  = {Eckstein, Noah and Srinivasan, Manoj},
  title   = {Paradoxical noise preference in {RNNs}},
  journal = {Transactions on Machine Learning Research},
  year    = {2026},
  eprint  = {2601.04539},
  archivePrefix = {arXiv},
  url     = {https://arxiv.org/abs/2601.04539},
}"""
"""The paper whose effect the package explains."""


class _Shown(str):
    """Text that a session shows as it is, and not in quotes."""

    def __repr__(self) -> str:
        return str(self)


def cite() -> str:
    """Return what to cite, as two entries of BibTeX: this software, and the paper whose effect it explains.

    The repository holds the same in ``CITATION.cff``.

    Examples
    --------
    >>> import ctrnn_theory as ct
    >>> print(ct.cite().splitlines()[0])
    @software{ctrnn_theory,
    """
    from ctrnn_theory import __version__

    return _Shown(f"{SOFTWARE.format(version=__version__)}\n\n{PAPER}")
