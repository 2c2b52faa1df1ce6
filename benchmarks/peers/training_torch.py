"""Training by PyTorch: the same network, noise and trials, by Adam and back-propagation through time, eager."""

from collections.abc import Callable
from itertools import product
from time import perf_counter

import numpy as np
import torch

from benchmarks.processes import Found, cores, tell, versions
from benchmarks.training import QUICK_SEEDS, REPEATS, SEEDS, Race, judge, settings, start
from ctrnn_theory.support.types import FloatArray

RATES = (1e-2, 3e-2, 1e-1, 3e-1)
"""Learning rates; 3e-3 is slower than all of them."""
QUICK_RATES = (3e-2, 1e-1)
UPDATES, CHECKS, BOUND = 20, 100, 5.0
"""Updates that are timed, losses whose mean is compared with ours, and its largest deviation in standard errors."""


class Loss:
    """Loss of weights on fresh trials, by simulation."""

    def __init__(self, seed: int, dtype: torch.dtype) -> None:
        self.settings, self.rng = settings(seed), torch.Generator().manual_seed(seed)
        self.shapes = list(self.settings.layout.shapes.values())
        task = self.settings.task
        episode = task.episode(np.random.default_rng(0))
        u, y = (torch.tensor(array[0], dtype=dtype).repeat(task.repeats, 1) for array in (episode.u, episode.y))
        self.u, self.y, self.w = u, y, torch.tensor(episode.w, dtype=dtype)
        self.first = int(np.flatnonzero(episode.w)[0])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the loss at weights (n,); all that does not depend on the state is computed for all steps at once."""
        parts = x.split([shape.numel() for shape in map(torch.Size, self.shapes)])
        W, b, W_in, W_out, b_out = (part.view(shape) for part, shape in zip(parts, self.shapes, strict=True))
        shape = (len(self.w), len(self.u), len(b))
        noise = torch.randn(shape, generator=self.rng, dtype=x.dtype)
        h, transposed, states = torch.zeros(shape[1:], dtype=x.dtype), W.T, []
        for drive in (noise + torch.addmm(b, self.u, W_in.T)).unbind():
            h = torch.lerp(h, torch.relu(torch.addmm(drive, h, transposed)), self.settings.gamma)
            states.append(h)
        z = torch.stack(states[self.first :]) @ W_out.T + b_out
        gap = ((z - self.y) ** 2).sum(dim=-1).mean(dim=-1)
        return gap @ self.w[self.first :]


def updates(seed: int, dtype: torch.dtype, rate: float) -> tuple[torch.Tensor, Callable[[], None]]:
    """Return weights (n,), and a function that updates them once."""
    loss, x = Loss(seed, dtype), torch.tensor(start(seed), dtype=dtype, requires_grad=True)
    adam = torch.optim.Adam([x], rate)

    def update() -> None:
        adam.zero_grad()
        loss(x).backward()
        adam.step()

    return x, update


def speed(dtype: torch.dtype, threads: int) -> float:
    """Return the updates a second."""
    torch.set_num_threads(threads)
    _, update = updates(0, dtype, 1e-2)
    update()
    begin = perf_counter()
    for _ in range(UPDATES):
        update()
    return UPDATES / (perf_counter() - begin)


def race(seed: int, dtype: torch.dtype, rate: float, quick: bool) -> Found:
    """Train once to the target."""
    clock, count = Race(quick), 0
    x, update = updates(seed, dtype, rate)
    over = False
    while not over:
        update()
        count += 1
        over = clock.over(weights(x), count)
    return clock.result


def weights(x: torch.Tensor) -> FloatArray:
    """Return a tensor as a NumPy array of float64."""
    return x.detach().numpy().astype(np.float64)


def same_loss(dtype: torch.dtype) -> bool:
    """Return whether the mean of PyTorch's losses agrees with ours."""
    loss = Loss(0, dtype)
    x = torch.tensor(start(0) + 0.1 * np.random.default_rng(0).standard_normal(loss.settings.layout.size), dtype=dtype)
    with torch.no_grad():
        found = np.array([loss(x).item() for _ in range(CHECKS)])
    both = np.sqrt(1.0 + CHECKS * loss.settings.task.repeats / REPEATS)  # ours has a standard error too
    return bool(abs(found.mean() - judge()(weights(x))) < BOUND * both * found.std(ddof=1) / np.sqrt(CHECKS))


def report(quick: bool) -> Found:
    """Measure the trainings at all rates, in the fastest way."""
    tell("the fastest way")
    ways = {
        f"{str(dtype).removeprefix('torch.')}, threads: {threads}": (dtype, threads)
        for dtype, threads in product((torch.float32, torch.float64), sorted({1, cores()}))
    }
    speeds = {name: speed(*way) for name, way in ways.items()}
    dtype, threads = ways[max(speeds, key=lambda name: speeds[name])]
    torch.set_num_threads(threads)
    races: dict[str, list[Found]] = {}
    for rate in QUICK_RATES if quick else RATES:
        tell(f"Adam {rate:g}")
        races[f"Adam {rate:g}"] = [race(seed, dtype, rate, quick) for seed in range(QUICK_SEEDS if quick else SEEDS)]
    return {"versions": versions(("torch",)), "updates": speeds, "right": same_loss(dtype), "races": races}
