"""What is no file stays where it is; the name that is given says what kind a file is of."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ctrnn_theory as ct
from ctrnn_theory.cli.console import check_plot, write_plot
from ctrnn_theory.support.files import _stays

NET = ct.CTRNN.single(0.5)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices are files elsewhere")


def read_from(path, into):
    with open(path, "rb") as file:
        into.append(file.read())


class Picture:
    def plot(self, ax):
        ax.plot([0, 1])


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("what", ["network", "picture"])
def test_a_pipe_stays_and_gets_the_whole_file(tmp_path, what, through_a_link):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    place = tmp_path / "link.png" if through_a_link else pipe
    if through_a_link:
        place.symlink_to("pipe.png")
    found: list[bytes] = []
    reader = threading.Thread(target=read_from, args=(pipe, found))
    reader.start()
    if what == "network":
        NET.save(place)
    else:
        check_plot(place)
        write_plot(Picture(), place)
    reader.join(timeout=30)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert found[0][:4] == (b"PK\x03\x04" if what == "network" else b"\x89PNG")
    assert place.is_symlink() == through_a_link
    assert len(list(tmp_path.iterdir())) == 1 + through_a_link


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no such device")
def test_a_device_stays(tmp_path):
    """Asked, and not tried out: where it did not hold, the machine would lose the device."""
    link = tmp_path / "null.npz"
    link.symlink_to("/dev/null")
    assert _stays(Path("/dev/null"))
    assert _stays(link)
    assert not _stays(tmp_path / "new.npz")
    (tmp_path / "old.npz").write_bytes(b"")
    assert not _stays(tmp_path / "old.npz")
    assert not _stays(tmp_path)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no such files")
@pytest.mark.parametrize("through_a_pipe", [False, True])
def test_standard_output_is_written_to_and_not_replaced(tmp_path, through_a_pipe):
    script = "import ctrnn_theory as ct; print('first', flush=True); ct.CTRNN.single(0.5).save('/dev/stdout')"
    place = tmp_path / "out"
    with open(place, "wb") as file:
        inode = os.fstat(file.fileno()).st_ino
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE if through_a_pipe else file, check=True
        )
    assert place.stat().st_ino == inode
    assert (done.stdout if through_a_pipe else place.read_bytes())[:8] == b"first\nPK"


@pytest.mark.parametrize("ending", [".png", ".svg", ".PDF"])
def test_the_ending_of_the_name_counts_and_not_that_of_a_links_target(tmp_path, ending):
    link, target = tmp_path / f"picture{ending}", tmp_path / "target"
    link.symlink_to("target")
    check_plot(link)
    write_plot(Picture(), link)
    first = {".png": b"\x89PNG", ".svg": b"<?xm", ".PDF": b"%PDF"}[ending]
    assert link.is_symlink()
    assert target.read_bytes()[:4] == first
    network = tmp_path / "net.npz"
    network.symlink_to("target")
    NET.save(network)
    assert ct.CTRNN.load(target).W.tolist() == [[0.5]]
    assert {path.name for path in tmp_path.iterdir()} == {link.name, "target", "net.npz"}


def test_a_picture_is_refused_before_it_is_drawn_where_it_cannot_be(tmp_path):
    link = tmp_path / "x.png"
    link.symlink_to(tmp_path / "missing" / "x.png")
    with pytest.raises(ValueError, match="--plot must be a file in a folder that exists and can be written; got "):
        check_plot(link)
    (tmp_path / "y.png").mkdir()
    with pytest.raises(ValueError, match="--plot must be a file"):
        check_plot(tmp_path / "y.png")
