"""The look at each file that a row names: what it may be, and how far it is looked at."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.errors import ImageError
from radcbir_core.images import Limits
from radcbir_core.importers.rows.checking import Checked, Checker, Wanted, file_below
from tests.core.images.dicom_files import dicom_bytes


def checked(root: Path, *paths: str, check="decode", limits: Limits | None = None) -> list[Checked]:
    with Checker(check, limits or Limits()) as checker:
        return [one for batch in checker.in_order([[Wanted(root, path)] for path in paths]) for one in batch]


@pytest.fixture
def root(tmp_path, picture) -> Path:
    """A folder with ``a.png`` and ``sub/b.png``, links out of it and around in it, and a picture outside."""
    folder = tmp_path / "root"
    picture(folder / "a.png", size=(12, 10))
    picture(folder / "sub" / "b.png", seed=1)
    picture(tmp_path / "outside" / "c.png", seed=2)
    (folder / "around").symlink_to(folder / "sub")
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "out.png").symlink_to(tmp_path / "outside" / "c.png")
    return folder


def test_what_each_depth_of_looking_tells(root) -> None:
    digest = hashlib.sha256((root / "a.png").read_bytes()).hexdigest()
    path = str(root / "a.png")
    assert checked(root, "a.png", check="exists") == [Checked(path)]
    assert checked(root, "a.png", check="bytes") == [Checked(path, digest)]
    assert checked(root, "a.png", check="decode") == [Checked(path, digest, 12, 10)]


def test_damage_is_met_only_where_the_picture_is_looked_at(root) -> None:
    (root / "a.png").write_bytes((root / "a.png").read_bytes()[:60])
    assert [checked(root, "a.png", check=check)[0].reason for check in ("exists", "bytes")] == ["", ""]
    assert "but a.png = damaged" in checked(root, "a.png")[0].reason


@pytest.mark.parametrize("check", ["exists", "bytes", "decode"])
def test_paths_stay_inside_the_root_however_they_are_written(root, check) -> None:
    inside = ["a.png", "sub/b.png", "around/b.png", "sub/../a.png", "out/../a.png", str(root / "a.png")]
    assert [one.reason for one in checked(root, *inside, check=check)] == [""] * len(inside)
    outside = ["out.png", "out/c.png", "../outside/c.png", "/etc/passwd", "sub/../../outside/c.png", ".."]
    for one in checked(root, *outside, check=check):
        assert one == Checked(reason=one.reason)
        assert one.reason.startswith(f"Expected a path inside the image root, but it leads out of {root}.")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "Expected a path, but the cell is empty."),
        ("a\0.png", "Expected a path, but the cell has a zero byte in it."),
        ("gone.png", "Expected an image file, but there is none at this path."),
        ("sub", "Expected an image file, but there is none at this path."),
        ("gone/a.png", "Expected an image file, but there is none at this path."),
    ],
)
def test_rows_that_name_no_file(root, path, reason) -> None:
    assert checked(root, path) == [Checked(reason=reason)]


@pytest.mark.parametrize("check", ["bytes", "decode"])
def test_a_file_over_the_limit_is_not_read(root, check) -> None:
    with (root / "huge.png").open("wb") as handle:
        handle.truncate(2**40)
    (one,) = checked(root, "huge.png", check=check, limits=Limits(max_bytes=1000))
    assert one.reason.startswith("Expected at most 1,000 bytes, but ")


def test_a_file_that_may_not_be_read(root, monkeypatch) -> None:
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert checked(root, "a.png", check="bytes")[0].reason == "Expected a readable file, but: Permission denied."


def test_frames_of_one_file_are_different_images(root) -> None:
    pixels = np.arange(2 * 20, dtype=np.uint8).reshape(2, 4, 5)
    (root / "cine.dcm").write_bytes(dicom_bytes(pixels, frames=2))
    for check in ("bytes", "decode"):
        with Checker(check, Limits()) as checker:
            wanted = [Wanted(root, "cine.dcm", frame) for frame in (None, 0, 1, 0)]
            ((whole, first, second, again),) = checker.in_order([wanted])
        assert len({whole.sha256, first.sha256, second.sha256}) == 3
        assert again == first
    assert checked(root, "cine.dcm")[0].width == 5


def test_many_batches_come_back_in_their_order(root, picture) -> None:
    names = [f"many/{number:03d}.png" for number in range(60)]
    for seed, name in enumerate(names):
        picture(root / name, seed=seed, size=(60 - seed, 3))
    results = checked(root, *names)
    assert [one.width for one in results] == [60 - seed for seed in range(60)]


def test_a_folder_is_listed_once(root, monkeypatch) -> None:
    from radcbir_core.importers.rows import checking

    listed = []
    scandir = checking.os.scandir
    monkeypatch.setattr(checking.os, "scandir", lambda folder: listed.append(str(folder)) or scandir(folder))
    with Checker("exists", Limits()) as checker:
        for _ in checker.in_order([[Wanted(root, "sub/b.png")] * 20]):
            pass
    assert listed == [str(root / "sub")]


def test_file_below(root) -> None:
    assert file_below(str(root), "sub/../a.png") == str(root / "a.png")
    assert file_below(str(root) + "/", "around/b.png") == str(root / "around" / "b.png")
    with pytest.raises(ImageError, match="leads out of") as caught:
        file_below(str(root), "out.png")
    assert caught.value.remedy is not None
