"""Simulation by torchsde: Euler steps of one for dh = γ (f(W h + b) - h) dt + γ σ dB are the map with noise outside."""

from collections.abc import Callable

import torch
import torchsde

from benchmarks.peers.with_torch import FUNCTIONS
from benchmarks.simulation import EVERY, Moments, Work

SITE = "outside"
PACKAGES = ("torchsde", "torch")


class Neurons:
    """The stochastic differential equation for states (K, N)."""

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self, work: Work) -> None:
        self.function, self.gamma = FUNCTIONS[work.activation], work.gamma
        self.W, self.b = torch.tensor(work.W).T, torch.tensor(work.b)
        self.scale = torch.full((work.trajectories, work.n), work.gamma * work.sigma, dtype=torch.float64)

    def f(self, t: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Return the drift."""
        return self.gamma * (self.function(torch.addmm(self.b, h, self.W)) - h)

    def g(self, t: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Return the diffusion."""
        return self.scale


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return one solve of all trajectories; saved samples are averaged."""
    sde, shape = Neurons(work), (work.trajectories, work.n)
    times = torch.arange(0, work.steps + 1, EVERY, dtype=torch.float64)
    h = torch.zeros(shape, dtype=torch.float64)
    seed = 8

    @torch.no_grad()
    def advance() -> Moments:
        nonlocal h, seed
        seed += 1
        path = torchsde.BrownianInterval(0.0, float(work.steps), size=shape, dtype=torch.float64, entropy=seed)
        states = torchsde.sdeint(sde, h, times, bm=path, method="euler", dt=1.0)[1:]
        h = states[-1]
        return Moments(states.mean(dim=0).numpy(), (states**2).mean(dim=0).numpy())

    return {"Euler": advance}
