"""Conventions of other codes, against their own steps in NumPy: the mean of their runs is that of what was read in."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctrnn_theory as ct
from ctrnn_theory.activations import activation
from ctrnn_theory.model.conventions import halve_step
from ctrnn_theory.model.conventions.exchange import network_of
from ctrnn_theory.support.errors import NotApplicable

N, RUNS = 6, 4000
ALPHA = 0.2


def weights(n=N, inputs=2, outputs=1, seed=1):
    """Draw W, b, W_in, W_out and b_out with targets in rows, of a spectral radius of about 0.8."""
    rng = np.random.default_rng(seed)
    W = 0.8 * rng.standard_normal((n, n)) / np.sqrt(n)
    b, W_in = 0.3 * rng.standard_normal(n), rng.standard_normal((n, inputs))
    return W, b, W_in, rng.standard_normal((outputs, n)) / n, rng.standard_normal(outputs)


def relu(x):
    return np.maximum(x, 0.0)


def softplus(x):
    return np.logaddexp(0.0, x)


U = np.array([0.4, -0.3])


def multitask_run(arrays, rng, steps=80, alpha=ALPHA, sigma_rec=0.15, sigma_x=0.1):
    kernel, bias = arrays["rnn/leaky_rnn_cell/kernel:0"], arrays["rnn/leaky_rnn_cell/bias:0"]
    h, sigma = np.zeros((RUNS, bias.size)), np.sqrt(2 / alpha) * sigma_rec
    for _ in range(steps):
        x = U + np.sqrt(2 / alpha) * sigma_x * rng.standard_normal((RUNS, U.size))
        gate = np.concatenate([x, h], axis=1) @ kernel + bias + sigma * rng.standard_normal(h.shape)
        h = (1 - alpha) * h + alpha * softplus(gate)
    return h


def psychrnn_run(arrays, rng, steps=80, alpha=ALPHA, rec_noise=0.5):
    state = np.zeros((RUNS, arrays["b_rec"].size))
    for _ in range(steps):
        state = (
            (1 - alpha) * state
            + alpha * (relu(state) @ arrays["W_rec"].T + U @ arrays["W_in"].T + arrays["b_rec"])
            + np.sqrt(2.0 * alpha * rec_noise * rec_noise) * rng.standard_normal(state.shape)
        )
    return state


def pycog_run(arrays, rng, steps=80, alpha=ALPHA, var_rec=0.2, var_in=0.05):
    x = np.zeros((RUNS, arrays["brec"].size))
    r = np.tanh(x)
    for _ in range(steps):
        u = U + np.sqrt(2 * var_in / alpha) * rng.standard_normal((RUNS, U.size))
        noise = np.sqrt(2 * var_rec / alpha) * rng.standard_normal(x.shape)
        x = x + alpha * (-x + r @ arrays["Wrec"].T + arrays["brec"] + u @ arrays["Win"].T + noise)
        r = np.tanh(x)
    return x


def hmm_run(arrays, rng, steps=60):
    ih, hh = arrays["rnn.weight_ih_l0"], arrays["rnn.weight_hh_l0"]
    h = np.zeros((RUNS, len(hh)))
    for _ in range(steps):
        h = relu(rng.standard_normal((RUNS, ih.shape[1])) @ ih.T + h @ hh.T)
    return h


W, B, W_IN, W_OUT, B_OUT = weights()
CLIENTS = {
    "multitask": (
        {
            "rnn/leaky_rnn_cell/kernel:0": np.vstack([W_IN.T, W.T]),
            "rnn/leaky_rnn_cell/bias:0": B,
            "output/weights:0": W_OUT.T,
            "output/biases:0": B_OUT,
        },
        multitask_run,
        {"alpha": ALPHA, "activation": "softplus", "sigma_rec": 0.15, "sigma_x": 0.1},
        U,
    ),
    "psychrnn": (
        {"W_rec": W, "b_rec": B, "W_in": W_IN, "W_out": W_OUT, "b_out": B_OUT, "init_state": np.zeros((1, N))},
        psychrnn_run,
        {"alpha": ALPHA, "rec_noise": 0.5},
        U,
    ),
    "pycog": (
        {"Wrec": W, "brec": B, "Win": W_IN, "Wout": W_OUT, "bout": B_OUT, "x0": np.zeros(N)},
        pycog_run,
        {"alpha": ALPHA, "activation": "tanh", "var_rec": 0.2, "var_in": 0.05},
        U,
    ),
    "hmm_rnn": (
        {"rnn.weight_hh_l0": 0.7 * W, "rnn.weight_ih_l0": W_IN, "fc.weight": W_OUT},
        hmm_run,
        {},
        None,
    ),
}


def save(tmp_path, arrays):
    np.savez(path := tmp_path / "weights.npz", **arrays)
    return path


def deviation(net, noise, u, runs):
    """Return the largest deviation of the mean of runs from the predicted mean, in standard errors of both."""
    law = ct.predict(net, noise, u, "simulation", target_se=1e-3, rng=3)
    se = np.hypot(runs.std(axis=0, ddof=1) / np.sqrt(len(runs)), law.standard_error)
    return np.max(np.abs(runs.mean(axis=0) - law.mean) / se)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_mean_of_runs_of_another_code_is_that_of_what_was_read(name, tmp_path):
    arrays, run, options, u = CLIENTS[name]
    path = save(tmp_path, arrays)
    net, noise = ct.load_network(path, name, **options)
    runs = run(arrays, np.random.default_rng(0))
    assert deviation(net, noise, u, runs) < 5.0
    assert np.allclose(runs.std(axis=0), ct.predict(net, noise, u, "simulation", rng=4).std, rtol=0.1)
    wrong = replace(net, form="rate" if net.form == "voltage" else "voltage")
    assert deviation(wrong, noise, u, runs) > 8.0
    assert deviation(net, noise.scaled(0.5), u, runs) > 8.0


def test_numbers_of_the_noise_are_those_of_the_codes(tmp_path):
    # α = .2 and σ_rec = .05 are the defaults of multitask
    arrays, _, _, _ = CLIENTS["multitask"]
    path = save(tmp_path, arrays)
    _, noise = ct.load_network(path, "multitask", alpha=0.2, sigma=0.05, activation="relu")
    assert noise.inside == pytest.approx(0.158114, abs=5e-7)
    _, finer = ct.load_network(path, "multitask", alpha=0.1, sigma=0.05, activation="relu")
    assert finer.inside == pytest.approx(np.sqrt(2) * noise.inside)
    arrays, _, _, _ = CLIENTS["psychrnn"]
    _, noise = ct.load_network(save(tmp_path, arrays), "psychrnn", alpha=0.1, sigma=0.2)
    assert noise.outside * 0.1 == pytest.approx(np.sqrt(2 * 0.1 * 0.2**2))
    arrays, _, _, _ = CLIENTS["pycog"]
    path = save(tmp_path, arrays)
    by_variance = ct.load_network(path, "pycog", alpha=0.1, activation="relu", var_rec=0.04)[1]
    by_deviation = ct.load_network(path, "pycog", alpha=0.1, activation="relu", sigma=0.2)[1]
    assert by_variance.outside == pytest.approx(by_deviation.outside) == pytest.approx(np.sqrt(2 * 0.04 / 0.1))


@pytest.mark.parametrize("name", CLIENTS)
def test_halving_the_step_is_reading_with_half_of_alpha(name, tmp_path):
    arrays, _, options, _ = CLIENTS[name]
    path = save(tmp_path, arrays)
    net, noise = ct.load_network(path, name, **options)
    if ct.CONVENTIONS[name].gamma is not None:
        with pytest.raises(NotApplicable, match="no step to halve"):
            halve_step(net, noise)
        return
    half, finer = halve_step(net, noise)
    expected = ct.load_network(path, name, **options | {"alpha": options["alpha"] / 2})
    assert half.gamma == expected[0].gamma
    for site in ("inside", "outside"):
        assert np.allclose(finer.covariance(site, N), expected[1].covariance(site, N), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CLIENTS)
def test_arrays_that_come_back_are_those_that_came_in_bit_for_bit(name, dtype, tmp_path):
    arrays = {key: array.astype(dtype) for key, array in CLIENTS[name][0].items()}
    net, _ = ct.load_network(save(tmp_path, arrays), name, **CLIENTS[name][2])
    back = ct.to_arrays(net)
    assert back.keys() == arrays.keys()
    for key, array in arrays.items():
        assert back[key].dtype == dtype
        assert np.array_equal(back[key], array)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_changed_network_goes_back_to_the_names_that_came_in(name, tmp_path):
    arrays = CLIENTS[name][0]
    net, _ = ct.load_network(save(tmp_path, arrays), name, **CLIENTS[name][2])
    changed = replace(net, b=net.b + 0.25, W_out=2.0 * net.W_out)
    again, _ = ct.load_network(save(tmp_path, ct.to_arrays(changed)), name, **CLIENTS[name][2])
    for part in ("W", "b", "W_in", "W_out"):
        assert np.array_equal(getattr(again, part), getattr(changed, part)), part


@pytest.mark.parametrize("name", ["multitask", "psychrnn", "pycog", "torch_rnn", "nn4n", "paper", "hmm_rnn"])
def test_a_network_made_here_goes_through_every_convention(name, tmp_path):
    convention = ct.CONVENTIONS[name]
    gamma = 0.1 if convention.gamma is None else convention.gamma
    out = {} if name == "torch_rnn" else {"W_out": W_OUT, "b_out": B_OUT}
    net = ct.CTRNN(W, B, "tanh", gamma, W_IN, form=convention.form, **out)
    options = {} if "W_out" in convention.arrays else {"names": {"W_out": None}}
    path = save(tmp_path, ct.to_arrays(net, name))
    again, _ = ct.load_network(path, name, alpha=gamma, activation="tanh", **options)
    for part in ("W", "b", "W_in", "W_out", "b_out"):
        assert np.array_equal(getattr(again, part), getattr(net, part)), part


def test_two_bias_vectors_are_added_and_the_first_takes_a_change(tmp_path):
    rng = np.random.default_rng(2)
    arrays = {
        "weight_hh_l0": rng.standard_normal((3, 3)).astype(np.float32),
        "weight_ih_l0": rng.standard_normal((3, 2)).astype(np.float32),
        "bias_hh_l0": rng.standard_normal(3).astype(np.float32),
        "bias_ih_l0": rng.standard_normal(3).astype(np.float32),
    }
    net, noise = ct.load_network(save(tmp_path, arrays), "torch_rnn", sigma=0.1)
    assert np.array_equal(net.b, arrays["bias_hh_l0"].astype(float) + arrays["bias_ih_l0"].astype(float))
    assert (net.gamma, net.activation.name, noise.inside) == (1.0, "tanh", 0.1)
    back = ct.to_arrays(replace(net, b=net.b + 0.5))
    assert np.array_equal(back["bias_ih_l0"], arrays["bias_ih_l0"])
    assert np.allclose(back["bias_hh_l0"], arrays["bias_hh_l0"] + 0.5)


@given(scale=st.floats(0.01, 3.0), gamma=st.floats(0.01, 1.0), sigma=st.floats(0.0, 2.0))
def test_noise_on_the_inputs_is_that_of_the_pre_activation(scale, gamma, sigma):
    # covariance of W_in s ξ' + σ ξ, of independent ξ and ξ'
    net = ct.CTRNN(W, B, "tanh", gamma, W_IN)
    factor = 2.0 / gamma
    for name, own, site, expected in (
        ("multitask", {"sigma_rec": sigma, "sigma_x": scale}, "inside", factor),
        ("pycog", {"var_rec": sigma**2, "var_in": scale**2}, "outside", factor),
        ("torch_rnn", {"preact_noise": sigma, "input_noise": scale}, "inside", 1.0),
    ):
        _, noise = ct.CONVENTIONS[name].convert(net, given=own)
        covariance = expected * (sigma**2 * np.eye(N) + scale**2 * W_IN @ W_IN.T)
        assert np.allclose(noise.covariance(site, N), covariance, rtol=1e-9)


def test_masks_and_dales_law_act_on_reading(tmp_path):
    rng = np.random.default_rng(5)
    mask, signs = rng.random((N, N)) < 0.5, np.where(np.arange(N) < 4, 1.0, -1.0)
    arrays = {"W": W, "b": B, "mask": mask.astype(float), "signs": np.diag(signs)}
    names = {"W_in": None, "W_out": None}
    options = {"alpha": 0.1, "activation": "relu", "names": names}
    path = save(tmp_path, arrays)
    net, _ = ct.load_network(path, masks={"W": "mask"}, dale="signs", **options)
    assert np.array_equal(net.W, np.abs(W * mask) * signs)
    assert np.array_equal(net.W, ct.load_network(path, masks={"W": mask}, dale=signs, **options)[0].W)
    assert np.array_equal(ct.to_arrays(net)["W"], W)  # nothing has changed since
    rows, _ = ct.load_network(
        path, "multitask", masks={"W": mask}, **options | {"names": {**names, "W": "W", "b": "b"}}
    )
    assert np.array_equal(rows.W, (W * mask).T)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"W": None, "J": W}, {}, r"arrays must hold W \(as W\) .*; got J \(6, 6\)"),
        ({"b": None, "bias": B}, {}, r"arrays must hold b \(as b\) .*; got bias \(6,\): names=\{'b': ...\}"),
        ({"W": W[:3]}, {}, r"W \(W\) must have shape \(3, 3\), with a row for each that receives; got \(3, 6\)"),
        ({"W_in": W_IN.T}, {}, r"W_in \(W_in\) must have shape \(6, K\), .*; got \(2, 6\)"),
        ({"W_out": W_OUT[0]}, {}, r"W_out \(W_out\) must have shape \(P, 6\), .*; got \(6,\)"),
        ({}, {"names": {"W": "V"}}, "names must be of arrays that there are; got 'V' for W, and found W"),
        ({}, {"alpha": None}, "alpha must be given for paper; got None"),
        ({}, {"activation": None}, "activation must be given for paper; got None"),
        ({}, {"sigma_rec": 0.1}, "noise of paper must be among inside, outside; got 'sigma_rec'"),
        ({}, {"sigma": 0.1, "inside": 0.1}, "sigma must be None where inside is given; got 0.1"),
        ({}, {"convention": "paperr"}, "convention must be one of paper, multitask, psychrnn.*; got 'paperr'"),
        ({}, {"masks": {"W": np.ones((2, 2))}}, r"mask of W must have the shape of W, \(6, 6\); got \(2, 2\)"),
        ({}, {"masks": {"W": "none"}}, "mask of W must be an array, or the name of one; got 'none'"),
        ({}, {"dale": np.zeros(N)}, "dale must hold 1 or -1 for each of the 6 neurons"),
        ({}, {"convention": "torch_rnn"}, r"alpha must be 1 for torch_rnn; got 0.1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_what_was_expected(changes, options, message, tmp_path):
    arrays = {"W": W, "b": B, "W_in": W_IN, "W_out": W_OUT, "b_out": B_OUT} | changes
    path = save(tmp_path, {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=message):
        ct.load_network(path, **{"alpha": 0.1, "activation": "relu", **options})


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl", "model.ckpt", "pytorch_model.bin"])
def test_pickles_are_refused_with_what_to_write_instead(name, tmp_path):
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match=r"a pickle can run code .*save_model\(model, \"weights.safetensors\"\)"):
        ct.load_network(tmp_path / name)


def test_objects_in_a_file_are_skipped_and_not_unpickled(tmp_path):
    # PsychRNN saves dale_ratio = None so
    arrays = CLIENTS["psychrnn"][0] | {"dale_ratio": np.array(None)}
    net, _ = ct.load_network(save(tmp_path, arrays), "psychrnn", alpha=0.1)
    assert np.array_equal(net.W, W)
    assert "dale_ratio" not in ct.to_arrays(net)
    with pytest.raises(ValueError, match=r"W_rec"):
        ct.load_network(save(tmp_path, arrays | {"W_rec": np.array([None])}), "psychrnn", alpha=0.1)


def test_a_file_of_our_own_needs_its_noise_alone(tmp_path):
    net = ct.CTRNN(W, B, "tanh", 0.2, W_IN, form="voltage")
    net.save(path := tmp_path / "own.npz")
    read, noise = ct.load_network(path, "psychrnn", sigma=0.1)
    assert (read.gamma, read.activation.name, read.form) == (0.2, "tanh", "voltage")
    assert noise.outside == pytest.approx(np.sqrt(2 / 0.2) * 0.1)
    with pytest.raises(ValueError, match=r"alpha must be None for a file that CTRNN\.save wrote"):
        ct.load_network(path, "psychrnn", alpha=0.1)
    with pytest.raises(ValueError, match="convention must be one of the voltage form for this file; got paper"):
        ct.load_network(path)


def test_a_convention_of_ones_own_reads_and_writes(tmp_path):
    def noise(net, s=0.0):
        return ct.Noise(outside=s / net.gamma)

    ct.register_convention(
        "own",
        noise,
        arrays={"W": "J", "b": "theta"},
        equation="v' = ...",
        form="voltage",
        sources_in_rows=True,
        power=1.0,
    )
    try:
        net, found = ct.load_network(
            save(tmp_path, {"J": W.T, "theta": B}), "own", alpha=0.1, sigma=0.02, activation="tanh"
        )
        assert np.array_equal(net.W, W)
        assert found.outside == pytest.approx(0.2)
        assert np.array_equal(ct.to_arrays(net)["J"], W.T)
        assert halve_step(net, found)[1].outside == pytest.approx(0.4)
        with pytest.raises(ValueError, match="name must be new unless replace is True; got 'own'"):
            ct.register_convention("own", noise, arrays={"W": "J"})
        with pytest.raises(ValueError, match="convention must have a name for W_in; got own, which has none"):
            ct.to_arrays(replace(net, W_in=W_IN))
    finally:
        ct.CONVENTIONS.remove("own")
    with pytest.raises(ValueError, match="name must not be one of the package; got 'nn4n'"):
        ct.register_convention("nn4n", noise, arrays={"W": "J"}, replace=True)
    with pytest.raises(ValueError, match="arrays must name W, or kernel; got b"):
        ct.register_convention("own", noise, arrays={"b": "J"})


def test_the_registry_is_read_only_and_prints_equations():
    with pytest.raises(TypeError):
        ct.CONVENTIONS["mine"] = None
    for name, convention in ct.CONVENTIONS.items():
        assert name in repr(convention)
        assert "' = " in repr(convention)
    assert activation("Max(0, tanh(x))")(-1.0) == 0.0  # what nn4n and multitask call retanh


def test_noise_of_nn4n_that_is_read_out_is_exact_with_further_neurons():
    net = ct.CTRNN(W, B, "relu", ALPHA, W_IN, W_OUT, B_OUT, form="voltage")
    convention = ct.CONVENTIONS["nn4n"]
    with pytest.warns(UserWarning, match="readout_noise=True includes it"):
        plain, noise = convention.convert(net, given={"preact_noise": 0.2, "postact_noise": 0.3})
    full, whole = convention.convert(net, given={"preact_noise": 0.2, "postact_noise": 0.3, "readout_noise": True})
    short, long = (ct.predict(*pair, U) for pair in ((plain, noise), (full, whole)))
    # the two are the same process: the closure of either has the same mean and covariance of v
    assert np.allclose(long.mean[:N], short.mean, rtol=1e-8)
    assert np.allclose(long.covariance[:N, :N], short.covariance, rtol=1e-7, atol=1e-12)
    added = full.W_out[:, N:] @ long.covariance[N:, N:] @ full.W_out[:, N:].T
    assert added[0, 0] == pytest.approx(0.3**2 * np.sum(W_OUT**2))
    half, finer = halve_step(full, whole)
    other, expected = convention.convert(
        replace(net, gamma=ALPHA / 2), given={"preact_noise": 0.2, "postact_noise": 0.3, "readout_noise": True}
    )
    assert np.array_equal(half.gammas, other.gammas)
    assert np.array_equal(finer.outside, expected.outside)


def test_a_repaired_network_keeps_the_names_that_came_in(tmp_path):
    arrays, _, options, _ = CLIENTS["multitask"]
    net, noise = ct.load_network(save(tmp_path, arrays), "multitask", **options)
    back = ct.to_arrays(ct.noise_free(net, noise))
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())


@pytest.mark.parametrize("suffix", [".npz", ".txt", ""])
def test_what_is_no_file_of_arrays_is_refused(suffix, tmp_path):
    path = tmp_path / f"weights{suffix}"
    with pytest.raises(ValueError, match="weights"):
        ct.load_network(path)
    path.write_bytes(b"PK\3\4 nothing else")
    with pytest.raises(ValueError, match=r"must be a \.npz file of plain arrays|must be a \.safetensors or \.npz file"):
        ct.load_network(path)


@pytest.mark.parametrize("argument", ["names", "masks"])
def test_names_and_masks_are_mappings(argument, tmp_path):
    path = save(tmp_path, {"W": W, "b": B})
    with pytest.raises(ValueError, match=f"{argument} must be a mapping, such as .*; got 'W'"):
        ct.load_network(path, alpha=0.1, activation="relu", **{argument: "W"})


def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    for call in (
        lambda: ct.load_network(tmp_path / "weights.safetensors"),
        lambda: ct.save_safetensors(ct.CTRNN(W, B), tmp_path / "weights.safetensors"),
        lambda: ct.to_torch("relu"),
    ):
        with pytest.raises(ImportError, match=r'must be installed .*pip install "ctrnn-theory\[interop\]"'):
            call()
    assert not list(tmp_path.iterdir())


@given(
    n=st.integers(1, 5),
    inputs=st.integers(0, 3),
    outputs=st.integers(0, 2),
    single=st.booleans(),
    name=st.sampled_from([name for name in ct.CONVENTIONS if name != "torch_rnn"]),
    seed=st.integers(0, 99),
)
def test_any_network_comes_back_from_any_convention(n, inputs, outputs, single, name, seed):
    convention, rng = ct.CONVENTIONS[name], np.random.default_rng(seed)
    dtype = np.float32 if single else np.float64
    W, b, W_in, W_out, b_out = (array.astype(dtype) for array in weights(n, max(inputs, 1), max(outputs, 1), seed))
    gamma = convention.gamma or float(rng.uniform(0.05, 1.0))
    given_inputs = inputs or name in ("multitask", "hmm_rnn")  # which have no network without inputs
    net = ct.CTRNN(
        W,
        b,
        "tanh",
        gamma,
        W_in if given_inputs else None,
        W_out if outputs else None,
        b_out if outputs else None,
        form=convention.form,
    )
    arrays = {key: array.astype(dtype) for key, array in ct.to_arrays(net, name).items()}
    read, _ = network_of(arrays, convention, gamma, None, "tanh", None, None, None, {})
    for part in ("W", "b", "W_in", "W_out", "b_out"):
        one, other = getattr(read, part), getattr(net, part)
        assert (one is None and other is None) or np.array_equal(one, other)
    back = ct.to_arrays(read)
    assert all(back[key].dtype == dtype and np.array_equal(back[key], array) for key, array in arrays.items())
