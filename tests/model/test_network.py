import copy
import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ctrnn_theory import CTRNN, Noise

finite = st.floats(-1e6, 1e6)


def two(**changes):
    values = {"W": [[0.1, -0.5], [0.3, 0.0]], "b": [0.1, 0.2], "activation": "tanh", "gamma": 0.2} | changes
    return CTRNN(**values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W": [[np.nan, 0], [0, 0]]}, "W must be finite; it holds nan"),
        ({"W": [[1e200, 0], [0, 0]]}, r"W must be at most 1e\+09 in size; it holds 1e\+200"),
        ({"b": None}, "b must be an array of real numbers; got None"),
        ({"W": [[1.0, 2.0]]}, "W must be a square matrix"),
        ({"W": [["a", "b"], ["c", "d"]]}, "W must be an array of real numbers"),
        ({"b": [1.0]}, r"b must have shape \(2,\); got \(1,\)"),
        ({"b": [1.0, np.inf]}, "b must be finite; it holds inf"),
        ({"gamma": 1.5}, r"gamma must be in \(0, 1\]; got 1.5"),
        ({"gamma": 0.0}, r"gamma must be in \(0, 1\]; got 0.0"),
        ({"gamma": float("nan")}, r"gamma must be in \(0, 1\]; got nan"),
        ({"W_in": [[1.0]]}, r"W_in must have shape \(2, any\)"),
        ({"W_out": [[1.0]]}, r"W_out must have shape \(any, 2\)"),
        ({"b_out": [1.0]}, "b_out must come with W_out"),
        ({"W_out": [[1.0, 1.0]], "b_out": [1.0, 2.0]}, r"b_out must have shape \(1,\)"),
        ({"activation": "rleu"}, "relu"),
    ],
)
def test_bad_networks_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        two(**changes)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"inside": -0.1}, "inside must be at least 0"),
        ({"outside": [0.1, -0.2]}, "outside must be at least 0"),
        ({"inside": float("inf")}, "inside must be finite"),
        ({"inside": np.zeros((2, 2, 2))}, "inside must be a scalar"),
    ],
)
def test_bad_noise_is_refused_by_name(noise, message):
    with pytest.raises(ValueError, match=message):
        Noise(**noise)


def test_noise_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="inside must have one row for each of the 2 neurons"):
        Noise(inside=[1.0, 2.0, 3.0]).covariance("inside", 2)


@given(st.floats(1e-3, 10), st.floats(1e-3, 1.0))
def test_white_noise_adds_its_variance_whatever_the_step(intensity, gamma):
    # over one time constant, 1/gamma steps of variance (gamma sigma)^2 each
    sigma = Noise.from_white(intensity, gamma, "outside").outside
    assert gamma * sigma**2 == pytest.approx(intensity**2, rel=1e-14)


@given(arrays(np.float64, (3, 2), elements=finite))
def test_noise_factor_gives_its_covariance(factor):
    noise = Noise(inside=factor)
    np.testing.assert_array_equal(noise.covariance("inside", 3), factor @ factor.T)
    np.testing.assert_allclose(
        noise.std("inside", 3) ** 2, np.diag(noise.covariance("inside", 3)), rtol=1e-14, atol=1e-290
    )


def test_scalar_vector_and_factor_agree():
    for noise in (Noise(0.5), Noise([0.5, 0.5]), Noise([[0.5, 0.0], [0.0, 0.5]])):
        np.testing.assert_array_equal(noise.covariance("inside", 2), 0.25 * np.eye(2))


def test_arrays_are_copied_and_read_only():
    W = np.eye(2)
    net = two(W=W)
    W[0, 0] = 5.0
    assert net.W[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 2.0


def test_drive_and_preactivation():
    net = two(W_in=[[1.0], [2.0]])
    np.testing.assert_allclose(net.drive([0.5]), [0.6, 1.2])
    np.testing.assert_allclose(net.preactivation(np.ones((4, 2)), [0.5]), np.tile([0.2, 1.5], (4, 1)))
    with pytest.raises(ValueError, match=r"u must have shape \(1,\)"):
        net.drive([1.0, 2.0])
    with pytest.raises(ValueError, match="u must be None"):
        two().drive([1.0])


@given(
    W=arrays(np.float64, (2, 2), elements=finite),
    gamma=st.floats(0, 1, exclude_min=True),
    text=st.sampled_from(["relu", "softplus", "log(1 + exp(2*x))/2", "Max(0, x - 1)**2"]),
)
def test_saved_networks_come_back_bit_for_bit(tmp_path_factory, W, gamma, text):
    path = tmp_path_factory.mktemp("net") / "net.npz"
    net = CTRNN(W, [0.1, np.pi], text, gamma, W_in=[[1.0], [2.0]], W_out=[[1.0, 0.0]], b_out=[0.3])
    net.save(path)
    back = CTRNN.load(path)
    for name in ("W", "b", "W_in", "W_out", "b_out", "gamma", "activation"):
        assert np.array_equal(getattr(back, name), getattr(net, name)), name


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    two().save(path)
    before = path.read_bytes()

    def broken(stream, **arrays):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="disk full"):
        two(gamma=0.5).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_file_keeps_the_mode_of_the_old_one(tmp_path):
    path = tmp_path / "net.npz"
    two().save(path)
    path.chmod(0o640)
    two(gamma=0.5).save(path)
    assert path.stat().st_mode & 0o777 == 0o640
    link = tmp_path / "link.npz"
    link.symlink_to(path)
    two(gamma=0.7).save(link)
    assert link.is_symlink()
    assert CTRNN.load(path).gamma == 0.7
    with pytest.raises(ValueError, match="path must be a file in a folder that exists"):
        two().save(tmp_path / "missing" / "net.npz")
    with pytest.raises(ValueError, match="path must be a file"):
        two().save(tmp_path)


def test_copies_stay_read_only():
    for copied in (copy.deepcopy(two()), pickle.loads(pickle.dumps(two()))):
        assert not copied.W.flags.writeable
        np.testing.assert_array_equal(copied.W, two().W)


def damaged_files(whole: bytes):
    yield "empty", b""
    yield "text", b"hello"
    yield "truncated", whole[: len(whole) // 2]
    yield "bit flip", whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]
    buffer = io.BytesIO()
    np.savez(buffer, W=np.eye(2))
    yield "no header", buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array('{"format": 99, "activation": "relu", "gamma": 0.1}'), W=np.eye(1))
    yield "newer", buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array("[1]"), W=np.eye(1))
    yield "odd header", buffer.getvalue()
    for header in (
        '{"format": "1", "activation": "relu", "gamma": 0.1}',
        '{"format": 1, "activation": "relu", "gamma": true}',
    ):
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(header), W=np.eye(1), b=[0.0])
        yield header, buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.array('{"format": 1, "activation": "relu", "gamma": 0.1}'),
        W=np.array([{}]),
        b=[1.0],
    )
    yield "pickle", buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("W.npy", b"not an array")
    yield "junk member", buffer.getvalue()


def test_damaged_files_are_refused_and_left_as_they_were(tmp_path):
    path = tmp_path / "net.npz"
    two().save(path)
    for kind, content in damaged_files(path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"must be a network file written by CTRNN\.save") as info:
            CTRNN.load(path)
        assert "\n" not in str(info.value), kind
        assert path.read_bytes() == content, kind
    with pytest.raises(ValueError, match="No such file"):
        CTRNN.load(tmp_path / "missing.npz")


def test_the_repr_of_a_large_network_computes_no_eigenvalues():
    n = 300
    net = CTRNN(np.eye(n), 0.0, W_in=np.ones((n, 2)), W_out=np.ones((1, n)))
    assert repr(net).splitlines() == [
        "CTRNN: relu, 300 neurons, gamma = 0.1",
        "W: root mean square 0.05774",
        "b: 0 to 0",
        "W_in: 2 inputs",
        "W_out: 1 output",
    ]


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        (Noise(), "none"),
        (Noise(0.5, 0.25), "inside 0.5 and outside 0.25"),
        (Noise(outside=[0.5, 0.5]), "outside 0.5"),
        (Noise(outside=np.linspace(0.1, 0.9, 9)), "outside 0.1 to 0.9, by neuron"),
        (Noise(inside=[[1.0], [1.0]]), "inside by a factor of shape (2, 1)"),
    ],
)
def test_the_repr_of_a_noise_says_where_it_enters(noise, text):
    assert repr(noise) == f"Noise: {text}"
