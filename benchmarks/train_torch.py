"""Train three networks by gradient descent, as users do: ``python -m benchmarks.train_torch [--out FOLDER]``.

64 neurons with noise inside of 1 learn the task `function`, sin(πu) of a constant input u, over the second half of 100
steps at γ = 0.1: relu, softplus and tanh, by back-propagation through time with Adam, in PyTorch and in single
precision. Each network is written as an .npz file of plain arrays named W, b, W_in, W_out and b_out, which
``ctrnn_theory.load_network(..., convention="paper")`` reads. The networks in ``paper_figs/torch_networks`` were made by
this script; another version of PyTorch, or another processor, gives others of the same kind.
"""

from __future__ import annotations

import math
from pathlib import Path

import click
import numpy as np
import torch

from ctrnn_theory.support.files import atomically
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.function import Function

OUT = Path(__file__).parent.parent / "paper_figs" / "torch_networks"
ACTIVATIONS = {"relu": torch.relu, "softplus": torch.nn.functional.softplus, "tanh": torch.tanh}
NEURONS, GAMMA, SIGMA = 64, 0.1, 1.0
UPDATES, REPEATS, RATE, SEED = 1500, 16, 3e-3, 0
"""Updates of the weights, trials of each input in an update, largest learning rate, and seed."""


class Network(torch.nn.Module):
    """A network in rate form with noise inside its activation."""

    def __init__(self, activation: str, rng: torch.Generator) -> None:
        super().__init__()
        self.f = ACTIVATIONS[activation]

        def drawn(rows: int, columns: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(torch.randn(rows, columns, generator=rng) / math.sqrt(columns))

        self.W, self.W_in, self.W_out = drawn(NEURONS, NEURONS), drawn(NEURONS, 1), drawn(1, NEURONS)
        self.b, self.b_out = torch.nn.Parameter(torch.zeros(NEURONS)), torch.nn.Parameter(torch.zeros(1))

    def forward(self, u: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the outputs (T, B, 1) under constant inputs u (B, 1) and noise (T, B, N)."""
        h, states, drive = torch.zeros(len(u), NEURONS), [], u @ self.W_in.T + self.b
        for xi in noise:
            h = (1.0 - GAMMA) * h + GAMMA * self.f(h @ self.W.T + drive + SIGMA * xi)
            states.append(h)
        return torch.stack(states) @ self.W_out.T + self.b_out


def train(activation: str) -> Network:
    """Train a network with this activation."""
    rng = torch.Generator().manual_seed(SEED)
    net, task = Network(activation, rng), Function()
    u, y, w = task.episode(np.random.default_rng(0))
    inputs, targets = (torch.tensor(array[0], dtype=torch.float32).repeat(REPEATS, 1) for array in (u, y))
    counted = int(np.flatnonzero(w)[0])
    adam = torch.optim.Adam(net.parameters(), RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, UPDATES)
    with click.progressbar(range(UPDATES), label=activation) as updates:
        for _ in updates:
            z = net(inputs, torch.randn(task.steps, len(inputs), NEURONS, generator=rng))
            loss = ((z[counted:] - targets) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            falling.step()
    click.echo(f"{activation}: loss {loss.item():.5f}")
    return net


def arrays(net: Network) -> dict[str, FloatArray]:
    """Return the weights by name, in single precision."""
    return {name: value.detach().numpy() for name, value in net.named_parameters()}


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=OUT, help="Folder of the files.")
@click.argument("activation", nargs=-1, type=click.Choice(list(ACTIVATIONS)))
def main(out: Path, activation: tuple[str, ...]) -> None:
    """Train the networks and write them to files."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    for name in activation or ACTIVATIONS:
        found = arrays(train(name))
        with atomically(out / f"{name}.npz") as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **found)


if __name__ == "__main__":
    main()
