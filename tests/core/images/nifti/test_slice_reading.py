"""Slices as stored images and as they are shown, through the process that decodes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import Limits, decode_image, measure_images, read_stored, read_volume
from radcbir_core.images.decoding.file_reading import read_file
from tests.core.images.nifti_files import SECRET, looked_at, nifti_bytes

VALUES = np.random.default_rng(0).integers(0, 1000, (12, 10, 8)).astype(np.int16)


def test_a_slice_from_the_file_to_the_picture(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(nifti_bytes(VALUES, spacing=(1, 2, 6), packed=True, slope=2, intercept=5))
    expected = looked_at(file, plane="axial")
    stored = read_stored(file, frame=3)
    np.testing.assert_array_equal(stored.values(), expected[3])
    assert (stored.format, stored.frame, stored.frames, stored.square) == ("NIFTI", 3, 8, (20, 12))
    shown = decode_image(file)
    assert (shown.frame, shown.frames, shown.pixels.shape) == (4, 8, (20, 12))
    assert shown.window is not None
    assert shown.window.source == "volume"
    assert decode_image(file, frame=0).window == shown.window  # one for all slices
    given_window = decode_image(file.read_bytes(), name="x", frame=4, window=(500, 1000))
    assert given_window.pixels.shape == (20, 12)
    assert SECRET not in " ".join((*shown.remarks, repr(stored)))


def test_all_slices_are_measured_and_each_has_its_own_digest_later(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(nifti_bytes(VALUES, packed=True))
    measured = list(measure_images([(file, "scan", number) for number in range(9)]))
    assert len({one.sha256 for one in measured[:8]}) == 1
    assert [(one.width, one.height) for one in measured[:8]] == [(12, 10)] * 8
    assert isinstance(measured[8], ImageError)
    assert "a frame from 0 to 7, but scan = asked for frame 8" in str(measured[8])


def test_what_is_known_of_a_volume(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii"
    file.write_bytes(nifti_bytes(np.repeat(VALUES[..., None], 2, axis=3), codes="PIR", spacing=(1, 1, 4)))
    facts = read_volume(file)
    assert (facts.slices, facts.plane, facts.volumes, facts.unit, facts.is_labels) == (8, "sagittal", 2, "", False)
    assert facts.spacing == (4, 1, 1)
    assert facts.is_plane_known
    (tmp_path / "a.nii").write_text("text")
    with pytest.raises(ImageError, match=r"a NIfTI file \(.nii, .nii.gz\), but a.nii = something else"):
        read_volume(tmp_path / "a.nii")
    with pytest.raises(ImageError, match="not there"):
        read_volume(tmp_path / "none.nii")


def test_color_with_transparency_lies_on_black() -> None:
    kind = np.dtype([(letter, "u1") for letter in "RGBA"])
    volume = np.zeros((2, 2, 1), kind)
    volume["R"], volume["A"] = 200, 128
    image = read_file(nifti_bytes(volume), name="c.nii")
    assert image.stored.shape == (2, 2, 3)
    assert image.stored[0, 0].tolist() == [100, 0, 0]
    assert image.frame is None


def test_a_bomb_is_refused_by_its_header_and_never_unpacked(tmp_path: Path) -> None:
    data = bytearray(nifti_bytes(np.zeros((2, 2, 2), np.int16)))
    data[42:48] = b"".join(size.to_bytes(2, "little") for size in (4000, 4000, 4000))
    file = tmp_path / "bomb.nii.gz"
    file.write_bytes(gzip.compress(bytes(data) + bytes(50_000_000)))
    assert file.stat().st_size < 100_000
    with pytest.raises(ImageTooLargeError, match="4000 x 4000 x 4000 voxels of 2 bytes, 128,000,000,000 bytes"):
        decode_image(file)
    # One that tells a lie about itself is not unpacked beyond what it tells.
    file.write_bytes(gzip.compress(nifti_bytes(VALUES) + bytes(200_000_000), 1))
    assert decode_image(file, limits=Limits(max_seconds=5)).frames == 8


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 700), st.binary(min_size=1, max_size=9), st.booleans(), st.booleans())
def test_damaged_files_are_errors_of_their_own(place, junk, packed, cut) -> None:
    data = bytearray(nifti_bytes(VALUES[:4, :4, :4]))
    data[place : place + len(junk)] = junk
    data = data[:place] if cut else data
    content = gzip.compress(bytes(data), 1) if packed else bytes(data)
    said = ""
    try:
        read_file(content or b"\0", name="a.nii", limits=Limits(max_bytes=1_000_000, max_pixels=100_000))
    except ImageError as error:
        said = str(error)
    assert SECRET not in said
