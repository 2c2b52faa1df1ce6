"""Train a network to emulate a hidden Markov chain: ``python -m benchmarks.train_orbit [--out FILE]``.

32 relu neurons without bias are driven by 8 normal inputs and nothing else, h' = relu(W_hh h + W_ih x), and have a
softmax readout of 3 symbols, as the networks of Torre et al. (arXiv:2510.25674). The target is a linear chain of 3
states that are seen as they are: a state is kept with the probability 0.95, and otherwise left for a neighbour. With
p_t the softmax of the output, symbols i and j are emitted k steps apart with E p_t p_{t+k}ᵀ, which needs no drawing of
symbols. The loss is the Kullback–Leibler divergence of it from that of the chain, summed over lags k. It falls by
back-propagation through time, with Adam, in PyTorch and in single precision; states are carried over from update to
update, so that they are stationary.

The network is written as an .npz file that ``ctrnn_theory.load_network(..., convention="hmm_rnn")`` reads.
``paper_figs/orbit_networks/chain.npz`` was made by this script in some ten minutes on one core; another version of
PyTorch, or another processor, gives another network of the same kind.
"""

from __future__ import annotations

import math
from pathlib import Path

import click
import numpy as np
import torch

from ctrnn_theory.support.files import atomically

OUT = Path(__file__).parent.parent / "paper_figs" / "orbit_networks" / "chain.npz"
NEURONS, INPUTS, SEED = 32, 8, 0
CHAIN = np.array([[0.95, 0.05, 0.0], [0.025, 0.95, 0.025], [0.0, 0.05, 0.95]])
SHARES = np.array([0.25, 0.5, 0.25])
"""Transition matrix of the chain, and its stationary law."""
LAGS = {1: 4.0, 2: 1.0, 4: 1.0, 8: 1.0, 16: 1.0, 32: 1.0}
"""Lags k in steps, and their weights in the loss."""
STEPS, TRIALS, UPDATES, RATE = 160, 384, 6000, 2e-3
"""Steps and trajectories of an update, number of updates, and largest learning rate."""
SMALL, FLOOR, CLIP, LARGE = 1e-3, 1e-6, 0.3, 1e6
"""Weight of the mean square of the states in the loss, least probability in it, largest gradient, and largest state."""


def targets() -> dict[int, torch.Tensor]:
    """Return the joint law of two symbols of the chain, (3, 3), for each lag."""
    joint = {lag: SHARES[:, None] * np.linalg.matrix_power(CHAIN, lag) for lag in LAGS}
    return {lag: torch.tensor(J, dtype=torch.float32) for lag, J in joint.items()}


def divergence(target: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """Return Σ J (log J - log J_found); where J is zero there is no term."""
    return torch.special.xlogy(target, target).sum() - torch.special.xlogy(target, found + FLOOR).sum()


def train() -> dict[str, torch.nn.Parameter]:
    """Train the network, and return its arrays by name."""
    rng = torch.Generator().manual_seed(SEED)

    def drawn(rows: int, columns: int, scale: float) -> torch.Tensor:
        return torch.randn(rows, columns, generator=rng) * scale

    W = torch.nn.Parameter(torch.linalg.qr(drawn(NEURONS, NEURONS, 1.0))[0])
    W_in = torch.nn.Parameter(drawn(NEURONS, INPUTS, 1.0 / math.sqrt(INPUTS)))
    W_out = torch.nn.Parameter(drawn(len(CHAIN), NEURONS, 1.0 / math.sqrt(NEURONS)))
    weights, wanted, loss = [W, W_in, W_out], targets(), torch.zeros(())
    adam = torch.optim.Adam(weights, RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, UPDATES)
    h = torch.zeros(TRIALS, NEURONS)
    with click.progressbar(range(UPDATES), label="chain") as updates:
        for _ in updates:
            states, h = [], h.detach()
            for drive in torch.randn(STEPS, TRIALS, INPUTS, generator=rng) @ W_in.T:
                h = torch.relu(h @ W.T + drive)
                states.append(h)
            path = torch.stack(states)
            p = torch.softmax(path @ W_out.T, -1)
            loss = SMALL * path.square().mean()
            for lag, weight in LAGS.items():
                joint = torch.einsum("tbi,tbj->ij", p[:-lag], p[lag:]) / ((STEPS - lag) * TRIALS)
                loss = loss + weight * divergence(wanted[lag], joint)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, CLIP)
            adam.step()
            falling.step()
            if not bool(h.abs().max() < LARGE):  # it has grown beyond bounds, as it may before it is trained
                h = torch.zeros(TRIALS, NEURONS)
    click.echo(f"loss {loss.item():.5f}")
    return {"weight_hh_l0": W, "weight_ih_l0": W_in, "fc.weight": W_out}


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=OUT, help="Name of the file.")
def main(out: Path) -> None:
    """Train the network and write it to a file."""
    torch.set_num_threads(1)
    arrays = {name: value.detach().numpy() for name, value in train().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomically(out) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


if __name__ == "__main__":
    main()
