"""What is read of a header, and what is refused."""

from __future__ import annotations

import builtins
import sys
from io import BytesIO

import nibabel as nib
import numpy as np
import pytest

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.display.grayscale import Rescale
from radcbir_core.images.nifti.header import HEADER_BYTES, VolumeHeader, read_header
from tests.core.images.nifti_files import SECRET, nifti_bytes

VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def header_of(data: bytes, limits: Limits | None = None) -> VolumeHeader:
    return read_header(data[:HEADER_BYTES], request=Request("a.nii", None, limits or Limits()))


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_both_headers_in_both_byte_orders(second, byte_order) -> None:
    data = nifti_bytes(
        VALUES,
        second=second,
        byte_order=byte_order,
        spacing=(0.5, 0.75, 3),
        slope=2,
        intercept=-7,
        cal_min=1,
        cal_max=9,
    )
    header = header_of(data)
    assert header.shape == (4, 5, 6)
    assert (header.kind, header.dtype, header.offset) == ("gray", np.dtype(f"{byte_order}i2"), len(data) - 240)
    assert (header.rescale, header.shown, header.volumes) == (Rescale(2, -7), (1, 9), 1)
    assert header.plane.name == "axial"
    assert header.plane.spacing == pytest.approx((3, 0.75, 0.5))
    assert (header.slices, header.slice_bytes, header.voxel_bytes, header.samples) == (6, 40, 2, 1)
    assert header.remarks() == ["Its slices are axial, across the axis on which it is coarsest."]


def test_spacing_in_other_units_is_in_millimeters() -> None:
    image = nib.Nifti1Image(VALUES, np.diag([500, 500, 2500, 1]))
    image.header.set_xyzt_units("micron")
    assert header_of(image.to_bytes()).plane.spacing == pytest.approx((2.5, 0.5, 0.5))


@pytest.mark.parametrize(("slope", "intercept"), [(0, 5), (float("nan"), 0), (float("inf"), 0), (1, 0)])
def test_a_slope_that_means_not_scaled(slope, intercept) -> None:
    data = bytearray(nifti_bytes(VALUES))
    header = nib.Nifti1Header.from_fileobj(BytesIO(bytes(data)), check=False)
    header["scl_slope"], header["scl_inter"] = slope, intercept
    data[:348] = header.binaryblock
    assert header_of(bytes(data)).rescale is None


def test_a_file_that_does_not_say_how_it_lies() -> None:
    header = header_of(nifti_bytes(VALUES, codes=None))
    assert not header.plane.is_known
    assert header.remarks()[-1].startswith("It does not say how it lies in the patient")


def test_several_volumes_of_which_the_first_counts() -> None:
    header = header_of(nifti_bytes(np.zeros((4, 5, 6, 7), np.uint8)))
    assert (header.shape, header.volumes) == ((4, 5, 6), 7)
    assert "the first is shown" in " ".join(header.remarks())


def test_one_slice_and_an_intent() -> None:
    header = header_of(nifti_bytes(np.zeros((4, 5), np.uint8), intent_code=1002))
    assert (header.shape, header.is_labels, header.slices) == ((4, 5, 1), True, 1)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (1, "of one bit (data type 1). Convert it to int16 or float32."),
        (1536, "of float128 (data type 1536)."),
        (2048, "of complex256 (data type 2048)."),
    ],
)
def test_types_that_are_no_pixels(code, message) -> None:
    data = bytearray(nifti_bytes(VALUES))
    data[70:72] = code.to_bytes(2, "little")
    with pytest.raises(ImageError) as caught:
        header_of(bytes(data))
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_header_whose_values_lie_in_another_file() -> None:
    data = bytearray(nifti_bytes(VALUES))
    data[344:348] = b"ni1\0"
    with pytest.raises(ImageError, match="a header whose values are in another file"):
        header_of(bytes(data))


def test_limits_are_checked_on_the_header() -> None:
    data = nifti_bytes(VALUES)
    with pytest.raises(ImageTooLargeError, match=r"at most 19 pixels, but a.nii = 4 x 5 = 20 pixels"):
        header_of(data, Limits(max_pixels=19))
    with pytest.raises(ImageTooLargeError, match="4 x 5 x 6 voxels of 2 bytes, 240 bytes"):
        header_of(data, Limits(max_bytes=239))


@pytest.mark.parametrize("place", [(108, b"\x00\x00\xc0\x7f"), (40, b"\0\0"), (40, b"\x03\0\xff\xff")])
def test_headers_that_make_no_sense(place) -> None:
    data = bytearray(nifti_bytes(VALUES))
    data[place[0] : place[0] + len(place[1])] = place[1]
    with pytest.raises(Exception):  # noqa: B017, PT011 - what nibabel says; the border of decoding makes one error of it
        header_of(bytes(data))


def test_without_nibabel_it_is_said_how_to_install_it(monkeypatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "nibabel"]:
        monkeypatch.delitem(sys.modules, name)
    plain = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name.partition(".")[0] == "nibabel":
            raise ModuleNotFoundError("No module named 'nibabel'", name="nibabel")
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImageError) as caught:
        header_of(nifti_bytes_made)
    assert str(caught.value) == (
        "Expected the package nibabel, which reads NIfTI, but a.nii = a NIfTI file, and it is not installed. "
        "Run: pip install -r requirements-nifti.txt"
    )


nifti_bytes_made = nifti_bytes(VALUES)
