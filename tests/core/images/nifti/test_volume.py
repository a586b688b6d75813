"""Slices one by one, against nibabel's reading of the whole; a file is unpacked once."""

from __future__ import annotations

import gzip
import itertools
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ImageError
from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.nifti import volume as module
from radcbir_core.images.nifti.volume import Volume, Volumes, open_volume
from tests.core.images.nifti_files import looked_at, nifti_bytes

REQUEST = Request("a.nii", None, Limits())
CODES = ["".join(code) for code in itertools.permutations("RAS")] + ["LPS", "PIR", "LIA", "ILP", "SPL"]


def opened(data: bytes) -> Volume:
    return open_volume(BytesIO(data), size=len(data), request=REQUEST)


def slices_of(volume: Volume) -> np.ndarray:
    return np.stack([volume.slice(number) for number in range(volume.header.slices)])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CODES),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.permutations([1.0, 1.0, 4.0]),
    st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64]),
    st.booleans(),
    st.sampled_from("<>"),
    st.integers(0, 99),
)
def test_slices_are_those_that_nibabel_reads(codes, shape, spacing, dtype, packed, byte_order, seed) -> None:
    values = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
    data = nifti_bytes(values, codes=codes, spacing=tuple(spacing), packed=packed, byte_order=byte_order)
    volume = opened(data)
    found = slices_of(volume)
    np.testing.assert_array_equal(found, looked_at(data, plane=volume.header.plane.name))
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    volume.close()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_several_pieces_is_turned_alike(axis, monkeypatch) -> None:
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 3
    values = np.random.default_rng(1).integers(-500, 500, (7, 6, 9)).astype(np.int16)
    data = nifti_bytes(values, spacing=tuple(spacing), packed=True)
    monkeypatch.setattr(module, "_PIECE", 7 * 6 * 2 * 2)  # two planes at a time, and one is left
    volume = opened(data)
    assert volume.header.plane.axis == axis
    np.testing.assert_array_equal(slices_of(volume), looked_at(data, plane=volume.header.plane.name))


def test_of_several_volumes_the_first_is_unpacked_and_no_more(monkeypatch) -> None:
    values = np.random.default_rng(2).integers(0, 9, (4, 4, 4, 50)).astype(np.uint8)
    data = nifti_bytes(values, packed=True)
    read: list[int] = []
    plain = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: (read.append(size), plain(self, size))[1])
    volume = opened(data)
    np.testing.assert_array_equal(slices_of(volume), looked_at(data, plane="axial"))
    assert 0 < sum(read) <= module.HEADER_BYTES + 64 + 64


def test_complex_numbers_are_magnitudes_and_color_is_color() -> None:
    waves = (np.arange(8).reshape(2, 2, 2) * (1 + 1j)).astype(np.complex64)
    scaled = nifti_bytes(waves, slope=2, intercept=1)
    expected = np.abs(looked_at(nifti_bytes(waves), plane="axial") * 2 + (1 + 1j))
    np.testing.assert_allclose(slices_of(opened(scaled)), expected, rtol=1e-6)
    colors = np.random.default_rng(3).integers(0, 255, (3, 4, 5, 3)).astype(np.uint8)
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    volume = opened(nifti_bytes(np.ascontiguousarray(colors).view(kind)[..., 0]))
    found = slices_of(volume)
    assert found.shape == (5, 4, 3, 3)
    for channel in range(3):
        gray = nifti_bytes(np.ascontiguousarray(colors[..., channel]))
        np.testing.assert_array_equal(found[..., channel], looked_at(gray, plane="axial"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_off(packed) -> None:
    data = nifti_bytes(np.random.default_rng(4).integers(0, 99, (9, 9, 9)).astype(np.int16))[:-100]
    with pytest.raises(ImageError, match=r"1,458 bytes of voxels, but a.nii = cut off"):
        opened(gzip.compress(data) if packed else data)


def test_a_file_is_unpacked_once_for_all_of_its_slices(tmp_path: Path, monkeypatch) -> None:
    file, other = tmp_path / "a.nii.gz", tmp_path / "b.nii"
    values = np.random.default_rng(5).integers(0, 99, (4, 5, 6)).astype(np.int16)
    file.write_bytes(nifti_bytes(values, packed=True))
    other.write_bytes(nifti_bytes(values + 1))
    calls: list[str] = []
    monkeypatch.setattr(
        module,
        "open_volume",
        lambda file, **how: (calls.append(getattr(file, "name", "")), open_volume(file, **how))[1],
    )
    volumes = Volumes()

    def read(path: Path) -> Volume:
        with path.open("rb") as handle:
            return volumes.of(handle, size=path.stat().st_size, request=REQUEST)

    first = read(file)
    assert read(file) is first
    assert read(other) is not first
    assert read(file) is first
    assert calls == [str(file), str(other)]
    assert first.look() is first.look()
    data = file.read_bytes()
    uploaded = volumes.of(BytesIO(data), size=len(data), request=REQUEST)
    assert volumes.of(BytesIO(bytes(data)), size=len(data), request=REQUEST) is uploaded
    np.testing.assert_array_equal(slices_of(uploaded), slices_of(first))
    file.write_bytes(nifti_bytes(values * 2, packed=True))  # another file of that name
    expected = slices_of(first) * 2
    np.testing.assert_array_equal(slices_of(read(file)), expected)
    read_again = read(file)
    volumes.forget()
    with pytest.raises(ValueError, match="closed"):
        read_again.slice(0)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.nii.gz"
    file.write_bytes(nifti_bytes(np.ones((4, 4, 4), np.int16), packed=True))

    class Full(BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.tempfile, "SpooledTemporaryFile", lambda **_: Full())
    with file.open("rb") as handle, pytest.raises(ImageError) as caught:
        open_volume(handle, size=file.stat().st_size, request=REQUEST)
    assert str(caught.value) == (
        "Expected room for 128 bytes among the temporary files of this machine, but a.nii = not unpacked "
        "(No space left on device). Free some space, or unpack the file."
    )
