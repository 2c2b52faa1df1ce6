"""Networks of PyTorch and nn4n: the mean of their own noisy runs is that of what was read in."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import ctrnn_theory as ct

torch = pytest.importorskip("torch", reason="PyTorch is in the extra interop")

N, RUNS, STEPS, ALPHA = 6, 4000, 80, 0.2
U = torch.tensor([0.4, -0.3])


class Cell(torch.nn.Module):
    """A network as people write it by hand: rate form, noise inside, arrays of our names."""

    def __init__(self, sigma=0.6):
        super().__init__()
        self.sigma = sigma
        for name, shape in {"W": (N, N), "b": (N,), "W_in": (N, 2), "W_out": (1, N), "b_out": (1,)}.items():
            self.register_parameter(name, torch.nn.Parameter(0.4 * torch.randn(*shape)))

    def forward(self, u):
        h = torch.zeros(RUNS, N)
        for _ in range(STEPS):
            a = h @ self.W.T + u @ self.W_in.T + self.b + self.sigma * torch.randn(RUNS, N)
            h = h + ALPHA * (torch.nn.functional.softplus(a) - h)
        return h


class WithReadout(torch.nn.Module):
    """An nn.RNN and a linear readout."""

    def __init__(self, **options):
        super().__init__()
        self.rnn, self.fc = torch.nn.RNN(2, N, **options), torch.nn.Linear(N, 1)

    def forward(self, u, noise=0.0):
        x = u.expand(STEPS, RUNS, 2) + noise * torch.randn(STEPS, RUNS, 2)
        return self.rnn(x)[0][-1]


READOUT = {"W_out": "fc.weight", "b_out": "fc.bias"}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)
    with torch.no_grad():
        yield


def nn4n_network(**noise):
    model = pytest.importorskip("nn4n.model", reason="nn4n is in the extra interop")
    net = model.CTRNN(dims=[2, N, 1], tau=100, dt=20, biases="uniform", activation="relu", **noise)
    net.train()  # before, its recurrent layer has no noise at all
    net.recurrent_layer.hidden_layer.weight *= 1.5
    return net


def deviation(net, noise, runs, neurons=N):
    """Return the largest deviation of the mean rates of runs from those predicted, in standard errors of both."""
    law = ct.predict(net, noise, U.numpy(), "simulation", target_se=1e-3, rng=3)
    error = law.details.get("rate_standard_error", law.standard_error)[:neurons]
    runs = runs.numpy().astype(np.float64)
    se = np.hypot(runs.std(axis=0, ddof=1) / np.sqrt(len(runs)), error)
    return np.max(np.abs(runs.mean(axis=0) - law.rate[:neurons]) / se)


def test_mean_of_a_cell_written_by_hand():
    cell = Cell()
    net, noise = ct.from_torch(cell, "paper", alpha=ALPHA, activation="softplus", sigma=cell.sigma)
    runs = cell(U)
    assert deviation(net, noise, runs) < 5.0
    assert deviation(*ct.CONVENTIONS["multitask"].convert(net, sigma=cell.sigma), runs) > 20.0


def test_mean_of_an_rnn_with_noise_on_its_input():
    module = WithReadout(nonlinearity="relu")
    net, noise = ct.from_torch(module, names=READOUT, input_noise=0.8)
    runs = module(U, 0.8)
    assert (net.activation.name, net.gamma) == ("relu", 1.0)
    assert deviation(net, noise, runs) < 5.0
    assert deviation(*ct.from_torch(module, names=READOUT, preact_noise=0.8), runs) > 20.0


def test_mean_of_an_rnn_with_noise_on_its_pre_activation():
    module = WithReadout()
    rnn, h = module.rnn, torch.zeros(RUNS, N)
    for _ in range(STEPS):
        a = U @ rnn.weight_ih_l0.T + rnn.bias_ih_l0 + h @ rnn.weight_hh_l0.T + rnn.bias_hh_l0
        h = torch.tanh(a + 0.7 * torch.randn(RUNS, N))
    net, noise = ct.from_torch(module, names=READOUT, sigma=0.7)
    assert deviation(net, noise, h) < 5.0
    assert deviation(*ct.from_torch(module, names=READOUT, input_noise=0.7), h) > 8.0


@pytest.mark.parametrize(
    ("own", "wrong"),
    [
        ({"preact_noise": 2.0}, {"inside": 2.0}),
        ({"postact_noise": 2.5}, {"inside": 2.5}),
        ({"preact_noise": 1.0, "postact_noise": 2.0}, {"inside": 2.0, "outside": 1.0}),
    ],
)
def test_mean_of_nn4n_with_either_noise(own, wrong):
    model = nn4n_network(**own)
    rates = model(U.expand(2 * STEPS, RUNS, 2))[1][0]
    runs = rates[STEPS:].mean(dim=0)  # over time too, since what it returns holds the noise that is sent
    net, noise = ct.from_torch(model, "nn4n", readout_noise=False)  # α, activation and noise are those of the module
    assert (net.gamma, net.activation.name, net.form) == (ALPHA, "relu", "voltage")
    assert deviation(net, noise, runs) < 5.0
    assert deviation(net, ct.Noise(**wrong), runs) > 10.0
    if "postact_noise" in own:
        full, whole = ct.from_torch(model, "nn4n", readout_noise=True)
        assert deviation(full, whole, runs) < 5.0
        path = ct.simulate(full, whole, U.numpy(), 2 * STEPS, RUNS, record_every=2 * STEPS, rng=1)
        ours, theirs = full.output(path.h[-1]), model.readout_layer(rates[-1]).numpy()
        squares = [(z - z.mean()) ** 2 for z in (ours, theirs)]
        error = np.hypot(*(square.std() / np.sqrt(RUNS) for square in squares))
        assert abs(squares[0].mean() - squares[1].mean()) < 5.0 * error
        without = net.output(path.h[-1][:, :N])
        assert squares[1].mean() - without.var() > 8.0 * error


def test_masks_and_dales_law_of_nn4n_are_those_of_its_next_run():
    model = pytest.importorskip("nn4n.model", reason="nn4n is in the extra interop")
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(N) < 4, 1.0, -1.0)[:, None] * np.ones((N, N))  # rows are those that send
    sparsity = (rng.random((N, N)) < 0.6).astype(float)
    options = {"ei_masks": [None, signs, None], "sparsity_masks": [None, sparsity, None]}
    net = model.CTRNN(dims=[2, N, 1], tau=100, dt=20, biases="uniform", **options)
    net.recurrent_layer.hidden_layer.weight += 0.3 * torch.randn(N, N)  # as an optimiser does
    before = net.recurrent_layer.hidden_layer.weight.clone()
    read, _ = ct.from_torch(net, "nn4n")
    assert torch.equal(net.recurrent_layer.hidden_layer.weight, before)
    raw, _ = ct.from_torch(net.state_dict(), "nn4n", alpha=ALPHA)
    net.train()
    net(torch.zeros(1, 1, 2))
    assert np.array_equal(read.W, net.recurrent_layer.hidden_layer.weight.double().numpy())
    assert not np.array_equal(raw.W, read.W)
    assert np.all(read.W * signs.T >= 0.0)


@pytest.mark.parametrize("make", [Cell, WithReadout, nn4n_network])
def test_a_state_that_comes_back_is_the_one_that_came_in_bit_for_bit(make, tmp_path):
    module = make()
    options = {
        Cell: {"convention": "paper", "alpha": ALPHA, "activation": "softplus"},
        WithReadout: {"names": READOUT},
        nn4n_network: {"convention": "nn4n"},
    }[make]
    net, _ = ct.from_torch(module, **options)
    state = {name: torch.from_numpy(array) for name, array in ct.to_arrays(net).items()}
    assert state.keys() == module.state_dict().keys()
    for name, tensor in module.state_dict().items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)
    library = pytest.importorskip("safetensors.torch", reason="safetensors is in the extra interop")
    library.save_model(module, tmp_path / "weights.safetensors")
    if options.get("convention") == "nn4n":
        options |= {"alpha": ALPHA}
    read, _ = ct.load_network(tmp_path / "weights.safetensors", **{"convention": "torch_rnn", **options})
    for part in ("W", "b", "W_in", "W_out", "b_out"):
        assert np.array_equal(getattr(read, part), getattr(net, part))
    ct.save_safetensors(net, tmp_path / "again.safetensors")
    again = library.load_file(tmp_path / "again.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in module.state_dict().items())


def test_a_repaired_network_goes_back_to_its_module():
    cell = Cell()
    net, _ = ct.from_torch(cell, "paper", alpha=ALPHA, activation="softplus", sigma=cell.sigma)
    shifted = replace(net, b_out=net.b_out + 1.0)
    cell.load_state_dict({name: torch.from_numpy(array) for name, array in ct.to_arrays(shifted).items()})
    assert torch.allclose(cell.b_out, torch.tensor(net.b_out + 1.0, dtype=torch.float32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_precision_are_read(dtype):
    module = torch.nn.RNN(2, N).to(dtype)
    net, _ = ct.from_torch(module.state_dict())
    assert np.array_equal(net.W, module.weight_hh_l0.double().numpy())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (torch.nn.RNN(2, N, num_layers=2), "a second layer sees the state of the first within a step"),
        (torch.nn.RNN(2, N, bidirectional=True), "a layer that runs backwards in time"),
        (torch.nn.GRU(2, N), r"weight_hh_l0 \(W\) must have shape \(18, 18\), .*; got \(18, 6\)"),
        (torch.nn.Linear(2, 2), r"arrays must hold W \(as weight_hh_l0\).*; got weight \(2, 2\), bias \(2,\)"),
        ("weights.pt", "module must be a torch.nn.Module or its state_dict"),
    ],
)
def test_what_is_no_network_of_ours_is_refused(module, message):
    with pytest.raises(ValueError, match=message):
        ct.from_torch(module)


def test_a_readout_that_is_not_named_is_not_forgotten():
    with pytest.raises(ValueError, match=r"arrays must hold W_out, b_out .*; got fc.weight \(1, 6\), fc.bias \(1,\)"):
        ct.from_torch(WithReadout())
    assert ct.from_torch(WithReadout(), names={"W_out": None})[0].W_out is None


def test_torch_is_not_imported_by_the_package():
    code = (
        "import sys, ctrnn_theory as ct; ct.CONVENTIONS, ct.from_torch, ct.load_network; print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


def test_a_damaged_file_is_refused(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is in the extra interop")
    (tmp_path / "weights.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match=r"must be a \.safetensors file of plain arrays"):
        ct.load_network(tmp_path / "weights.safetensors")


@pytest.mark.slow
def test_a_network_of_adam_is_read_tested_repaired_and_given_back():
    """The whole way of a user: train in PyTorch under noise, read, test, take the noise out, and run in PyTorch."""
    gamma, steps, u = 0.1, 60, torch.linspace(-1.0, 1.0, 16)[:, None]
    target, n = torch.sin(torch.pi * u), 32
    with torch.enable_grad():
        cell = torch.nn.Module()
        for name, shape in {"W": (n, n), "b": (n,), "W_in": (n, 1), "W_out": (1, n), "b_out": (1,)}.items():
            scale = 1.0 if name == "W_in" else 0.5 / np.sqrt(n)
            cell.register_parameter(name, torch.nn.Parameter(scale * torch.randn(*shape)))

        def loss(f, sigma, repeats):
            h = torch.zeros(repeats, 16, n)
            total = 0.0
            for t in range(steps):
                a = h @ cell.W.T + u @ cell.W_in.T + cell.b
                h = (1 - gamma) * h + gamma * f(a + sigma * torch.randn_like(a) if sigma else a)
                if t >= steps // 2:
                    total = total + ((h @ cell.W_out.T + cell.b_out - target) ** 2).mean()
            return total / (steps - steps // 2)

        adam = torch.optim.Adam(cell.parameters(), lr=1e-2)
        for _ in range(600):
            adam.zero_grad()
            loss(torch.relu, 1.0, 8).backward()
            adam.step()
    with torch.no_grad():
        off, on = float(loss(torch.relu, 0.0, 1)), float(loss(torch.relu, 1.0, 500))
        net, noise = ct.from_torch(cell, "paper", alpha=gamma, activation="relu", sigma=1.0)
        given = (u.expand(steps, 16, 1), target.expand(steps, 16, 1), torch.arange(steps) >= steps // 2)
        found = ct.preference(net, given, [0.0, 0.5, 0.75, 1.0, 1.25], noise=noise, repeats=500)
        assert found.loss[[0, 3]] == pytest.approx([off, on], rel=0.05)
        assert found.predicted_loss == pytest.approx(found.loss, rel=0.05)
        quiet = ct.noise_free(net, noise)
        cell.load_state_dict({name: torch.from_numpy(array) for name, array in ct.to_arrays(quiet).items()})
        repaired = float(loss(ct.to_torch(quiet.activation), 0.0, 1))
        assert repaired < on < off / 10
    with torch.enable_grad():  # and it trains on there, without noise
        f, adam = ct.to_torch(quiet.activation), torch.optim.Adam(cell.parameters(), lr=1e-3)
        for _ in range(50):
            adam.zero_grad()
            loss(f, 0.0, 1).backward()
            adam.step()
        assert float(loss(f, 0.0, 1).detach()) < repaired
