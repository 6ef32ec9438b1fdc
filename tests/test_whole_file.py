"""A file is there whole, or as it was."""

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from blemish.system.whole_file import sweep, write_whole

LEFT = ".blemish-0123456789abcdef.tmp"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks and files")


def test_writes_and_writes_over(tmp_path: Path) -> None:
    path = tmp_path / "部品 1.bin"
    for content in (b"first", b"second"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(failure)):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.bin", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


def test_long_names_permissions_and_what_is_no_file(tmp_path: Path) -> None:
    """The temporary name does not grow with the file's, which may have 255 bytes already."""
    path = tmp_path / ("n" * 251 + ".bin")
    write_whole(path, b"first")
    path.chmod(0o604)
    write_whole(path, b"second")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"second", 0o604)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="a device or a pipe, which no file can replace"):
            write_whole(tmp_path / "pipe", b"")
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
def test_a_temporary_file_is_swept_when_its_writer_is_dead_and_not_before(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        from pathlib import Path
        from blemish.system.whole_file import write_whole
        os.fsync = lambda descriptor: (print("writing", flush=True), time.sleep(600))
        write_whole(Path(sys.argv[1]), b"half")
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.bin")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        writer.kill()
        writer.wait()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


@posix
def test_only_what_is_ours_is_swept(tmp_path: Path) -> None:
    """A link of such a name is not followed, a pipe does not make it wait, and other names stay."""
    other, link, pipe = (tmp_path / name for name in (".blemish-notes.tmp", LEFT, ".blemish-0000000000000000.tmp"))
    other.touch()
    link.symlink_to(other)
    os.mkfifo(pipe)
    sweep(tmp_path)
    assert other.exists()
    assert link.is_symlink()
    sweep(tmp_path / "absent")
    link.unlink()
    link.touch()
    link.chmod(0o400)
    sweep(tmp_path)
    assert not link.exists()


@posix
def test_a_file_swept_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    real = fcntl.flock
    names: list[Path] = []

    def late(file: Any, how: int) -> None:
        if not names:
            names.extend(tmp_path.iterdir())
            sweep(tmp_path)
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_whole(tmp_path / "a.bin", b"whole")
    assert len(names) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"whole"


def test_a_file_system_without_locks_still_takes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "win32":
        import fcntl

        def none(*_: Any) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / LEFT).write_bytes(b"perhaps alive")
    write_whole(tmp_path / "a.bin", b"whole")
    sweep(tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert (tmp_path / LEFT).exists()
