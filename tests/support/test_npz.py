"""Files of networks by anybody: bombs, lies and rubbish are refused at once, without the memory that they ask for."""

import io
import json
import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.npz import MOST_ARRAYS, read_arrays

HEADER = '{"format": 1, "activation": "relu", "gamma": 0.1}'
NET = CTRNN([[0.1, -0.5], [0.3, 0.0]], [0.1, 0.2], W_in=[[1.0], [2.0]], W_out=[[1.0, 2.0]], b_out=[3.0])


def npy(array):
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


def described(descr, shape, content=b"", fortran=False):
    """An .npy file with a header of one's own."""
    text = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def written(path, method=zipfile.ZIP_STORED, **members):
    """A file of a network, of which some members are replaced."""
    whole = {"header": npy(HEADER), "W": npy(np.eye(2)), "b": npy(np.zeros(2))} | members
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in whole.items():
            archive.writestr(f"{name}.npy", content)


def refused(path, reason, memory=1 << 24, **options):
    """See that a file is refused for a reason, with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=rf"{path.name} must be a network file written by CTRNN.save: .*{reason}"
        ) as info:
            CTRNN.load(path, **options)
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
    assert "\n" not in str(info.value)


def test_what_is_no_bomb_is_read(tmp_path):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        W = np.asfortranarray([[0.1, 0.2], [0.3, 0.4]])
        written(tmp_path / "net.npz", method, W=npy(W), more=npy([1, 2]))
        assert np.array_equal(CTRNN.load(tmp_path / "net.npz").W, W)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    path, zeros = tmp_path / "bomb.npz", bytes(1 << 20)
    n = 6000  # 288 MB
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("header.npy", npy(HEADER))
        with archive.open("W.npy", "w", force_zip64=True) as member:
            member.write(described("<f8", (n, n)))
            for left in range(n * n * 8, 0, -len(zeros)):
                member.write(zeros[:left])
    assert path.stat().st_size < 1 << 25
    refused(path, "its arrays have 288000.* bytes, more than max_bytes, which is 268435456")


def test_larger_networks_are_read_where_they_are_allowed(tmp_path):
    NET.save(tmp_path / "net.npz")
    refused(tmp_path / "net.npz", "more than max_bytes, which is 1000", max_bytes=1000)
    assert np.array_equal(CTRNN.load(tmp_path / "net.npz", max_bytes=10_000).W, NET.W)
    with pytest.raises(ValueError, match="max_bytes must be an integer of at least 1; got 0"):
        CTRNN.load(tmp_path / "net.npz", max_bytes=0)


def lie(content, field, value, name=b"W.npy"):
    """Change a field of the list of members, at its offset there."""
    start = content.rindex(b"PK\1\2", 0, content.rindex(name))
    return content[: start + field] + value + content[start + field + len(value) :]


LIES = {
    "declares less than it holds": (24, struct.pack("<L", 100)),
    "declares more than it holds": (24, struct.pack("<L", 161)),
    "declares a gigabyte": (24, struct.pack("<L", 1 << 30)),
    "declares a gigabyte, compressed": (10, struct.pack("<H", 8)),
    "encrypted": (8, struct.pack("<H", 1)),
    "bzip2": (10, struct.pack("<H", 12)),
    "begins elsewhere": (42, struct.pack("<L", 0)),
    "has another checksum": (16, b"\0\0\0\0"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_list_that_lies_is_refused(tmp_path, name):
    path = tmp_path / "net.npz"
    written(path)
    path.write_bytes(lie(path.read_bytes(), *LIES[name]))
    refused(path, "")


MEMBERS = {
    "holds objects": described("|O", (1,), bytes(8)),
    "and not those of shape": described("<f8", (1 << 20, 1 << 20), bytes(32)),
    r"and not those of shape \(-2, -2\)": described("<f8", (-2, -2), bytes(32)),
    "aximum allowed dimension": described("<f8", (0, 10**30)),
    "unknown version": b"\x93NUMPY\x03\x00" + described("<f8", (2, 2), bytes(32))[8:],
    "": described("<U0", (1 << 40,)),
    "EOF": b"\x93NUMPY\x01\x00\xff\xff{",
    "eader": b"\x93NUMPY\x02\x00\xff\xff\xff\x00" + b"[" * 0xFFFFFF,
    "magic": b"",
}


@pytest.mark.parametrize("reason", MEMBERS)
def test_an_array_that_lies_is_refused(tmp_path, reason):
    written(tmp_path / "net.npz", W=MEMBERS[reason])
    refused(tmp_path / "net.npz", reason, memory=1 << 27)


@pytest.mark.parametrize(
    "header", ["[" * 100_000, '{"a":' * 100_000, "x" * (1 << 19), "null", '{"format": 1}', ["a", "b"], b"bytes", 5]
)
def test_a_header_that_is_none_is_refused(tmp_path, header):
    written(tmp_path / "net.npz", header=npy(header))
    refused(tmp_path / "net.npz", "", memory=1 << 26)


def test_many_members_and_the_same_one_twice(tmp_path):
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2000):
            archive.writestr(zipfile.ZipInfo(f"{number}.npy"), b"")
    refused(path, f"it holds 2000 arrays, and at most {MOST_ARRAYS} are read")
    written(path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("W.npy", npy(np.zeros((2, 2))))
    refused(path, "its list of arrays is not that of an .npz archive")


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    (tmp_path / "folder.npz").mkdir()
    for name, what in (("pipe", "a pipe"), ("zero", "a device"), ("folder", "a folder")):
        refused(tmp_path / f"{name}.npz", f"it is {what} and not a file")


def test_any_bit_counts(tmp_path):
    """A file with a wrong bit is refused, or holds the same network."""
    path, counts = tmp_path / "net.npz", [0, 0]
    NET.save(path)
    good = path.read_bytes()
    for place in range(0, len(good), 13):
        for bit in (0, 5):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            try:
                found = CTRNN.load(path)
            except ValueError:
                counts[0] += 1
                continue
            counts[1] += 1
            for name in ("W", "b", "W_in", "W_out", "b_out"):
                assert np.array_equal(getattr(found, name), getattr(NET, name)), (place, bit, name)
    assert counts[0] > counts[1] > 0


def test_all_kinds_of_arrays_come_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 3)), "d": np.int64(5)}
    np.savez(tmp_path / "file.npz", **arrays)
    found = read_arrays(tmp_path / "file.npz", 1 << 20)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == np.asarray(array).dtype
    assert json.loads(json.dumps(str(found["b"]))) == "text"
    assert zlib.crc32(found["a"].tobytes()) == zlib.crc32(arrays["a"].tobytes())
