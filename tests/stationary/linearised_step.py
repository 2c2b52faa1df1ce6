"""Moments of second order of any step, by differences of a step that is written out with all its variates."""

import numpy as np

from ctrnn_theory import CTRNN, Noise

WIDTH = 2e-3  # of differences, extrapolated: the error is of order WIDTH⁴ and of rounding, 1e-16 / WIDTH²


def written_out(net, noise):
    """Return a step (g, z) -> g' of the state with its coloured sources, for standard normal z; and sizes of both."""
    n, voltage = net.n, net.form == "voltage"
    gamma, f = net.gammas, net.activation
    L = {site: noise.factor(site, n) for site in ("inside", "outside")}
    rho = {site: noise.rho(site, n) for site in L}
    G_in, G_out = noise.gain_factor("inside", n), noise.gain_factor("outside", n)
    common, keep = noise.common_gain(n), noise.kept(n)
    # multipliers are multiplied as they are: their product is one of the same mean and covariance
    R = (1.0 + G_out @ G_out.T) * (1.0 + np.outer(common, common)) * (1.0 + np.diag((1.0 - keep) / keep)) - 1.0
    values, vectors = np.linalg.eigh(R)
    G_out = vectors * np.sqrt(np.maximum(values, 0.0))
    sizes = [L["inside"].shape[1], L["outside"].shape[1], G_in.shape[1], n]
    cuts = np.cumsum(sizes)[:-1]

    def step(g, z):
        h, x_in, x_out = np.split(g, np.cumsum([n, sizes[0]]))
        fresh_in, fresh_out, gain_in, gain_out = np.split(z, cuts)
        x_in = rho["inside"] * x_in + np.sqrt(1.0 - rho["inside"] ** 2) * fresh_in
        x_out = rho["outside"] * x_out + np.sqrt(1.0 - rho["outside"] ** 2) * fresh_out
        a = h if voltage else net.W @ h + net.b
        y = f(a * (1.0 + G_in @ gain_in) + L["inside"] @ x_in) * (1.0 + G_out @ gain_out)
        target = net.W @ y + net.b if voltage else y
        return np.concatenate([(1.0 - gamma) * h + gamma * (target + L["outside"] @ x_out), x_in, x_out])

    return step, n + sizes[0] + sizes[1], sum(sizes)


def second_order(net, noise, state):
    """Return shift and covariance of the state to second order in the noise about a fixed point (N,).

    The covariance solves V = A V Aᵀ + K Kᵀ with the derivatives A and K of the step, by a Kronecker product. The shift
    solves (1 - A) δ = ½ Σ ∂²step over the principal directions of (state, sources, variates).
    """
    step, size, variates = written_out(net, noise)
    centre = np.concatenate([state, np.zeros(size - net.n + variates)])

    def after(move):
        at = centre + move
        return step(at[:size], at[size:])

    def slope(direction):
        coarse, fine = ((after(w * direction) - after(-w * direction)) / (2.0 * w) for w in (WIDTH, WIDTH / 2.0))
        return (4.0 * fine - coarse) / 3.0

    def bend(direction):
        coarse, fine = (
            (after(w * direction) + after(-w * direction) - 2.0 * after(0.0)) / w**2 for w in (WIDTH, WIDTH / 2.0)
        )
        return (4.0 * fine - coarse) / 3.0

    whole = np.array([slope(e) for e in np.eye(size + variates)]).T
    A, K = whole[:, :size], whole[:, size:]
    V = np.linalg.solve(np.eye(size**2) - np.kron(A, A), (K @ K.T).ravel()).reshape(size, size)
    values, vectors = np.linalg.eigh(V)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))
    axes = [np.concatenate([root, np.zeros(variates)]) for root in roots.T]
    axes += list(np.eye(size + variates)[size:])
    shift = np.linalg.solve(np.eye(size) - A, 0.5 * sum(map(bend, axes)))
    return shift[: net.n], V[: net.n, : net.n]


def case(seed, functions=("tanh", "softplus", "gelu", "x/2"), kinds=None):
    """Return a random network and noise, both of many kinds at once, or of those alone that are named."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))

    def drawn(kind, scale, factor=True):
        if not (rng.random() < 0.6 if kinds is None else kind in kinds):
            return 0.0
        if factor and rng.random() < 0.5:
            return scale * rng.standard_normal((n, int(rng.integers(1, 3))))
        return scale * rng.random(n)

    net = CTRNN(
        0.8 * rng.standard_normal((n, n)) / np.sqrt(n),
        0.5 * rng.standard_normal(n),
        list(rng.choice(functions, n)) if rng.random() < 0.5 else str(rng.choice(functions)),
        rng.uniform(0.1, 1.0, n) if rng.random() < 0.5 else float(rng.uniform(0.1, 1.0)),
        form=str(rng.choice(["rate", "voltage"])),
    )
    inside, outside = drawn("inside", 0.4), drawn("outside", 0.4)
    sources = {site: np.shape(x)[-1] if np.ndim(x) else 1 for site, x in (("in", inside), ("out", outside))}
    rho = {site: np.where(rng.random(k) < 0.6, 0.9 * rng.random(k), 0.0) for site, k in sources.items()}
    noise = Noise(
        inside,
        outside,
        drawn("gain_inside", 0.4),
        drawn("gain_outside", 0.4),
        rho_inside=rho["in"] if np.ndim(inside) else 0.0,
        rho_outside=rho["out"] if np.ndim(outside) else 0.0,
        common_gain_outside=drawn("common", 0.3, factor=False),
        keep=1.0 - drawn("dropout", 0.4, factor=False),
    )
    return net, noise
