"""Simulation by PyTorch in eager mode, all trajectories at once, in place, without gradients."""

from collections.abc import Callable

import torch

from benchmarks.simulation import EVERY, Moments, Work

SITE = "inside"
PACKAGES = ("torch",)
FUNCTIONS = {"relu": torch.relu_, "tanh": torch.tanh_, "softplus": torch.nn.functional.softplus}

torch.set_num_threads(1)


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return the one way; states are (N, K)."""
    f, W, b = FUNCTIONS[work.activation], torch.tensor(work.W), torch.tensor(work.b)[:, None]
    rng = torch.Generator().manual_seed(5)
    h, a, z = torch.zeros((3, work.n, work.trajectories), dtype=torch.float64)

    @torch.inference_mode()
    def advance() -> Moments:
        first, second = torch.zeros((2, *h.shape), dtype=torch.float64)
        for step in range(1, work.steps + 1):
            if work.n == 1:
                torch.addcmul(b, W, h, out=a)
            else:
                torch.addmm(b, W, h, out=a)
            a.add_(z.normal_(generator=rng), alpha=work.sigma)
            h.lerp_(f(a), work.gamma)
            if step % EVERY == 0:
                first.add_(h)
                second.addcmul_(h, h)
        samples = work.steps // EVERY
        return Moments((first.T / samples).numpy(), (second.T / samples).numpy())

    return {"eager": advance}
