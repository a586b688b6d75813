"""How DICOM says its values are to be shown: against the standard, against pydicom, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from radcbir_core.errors import ImageError
from radcbir_core.images import Window, decode_image
from tests.core.images.dicom_files import dicom_bytes, make_header, write

RNG = np.random.default_rng(5)
DEEP = RNG.integers(0, 4096, (11, 14)).astype(np.uint16)
SIGNED = RNG.integers(-2048, 2048, (11, 14)).astype(np.int16)
BYTES = RNG.integers(0, 256, (11, 14)).astype(np.uint8)


def linear(values: np.ndarray, center: float, width: float) -> np.ndarray:
    return np.floor(np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255 + 0.5)


def item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def table(first: int, bits: int, entries: list[int], vr: str = "US") -> Dataset:
    lut = Dataset()
    lut.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    lut.add_new("LUTData", vr, entries if vr == "US" else np.array(entries, "<u2").tobytes())
    return lut


@settings(max_examples=40, deadline=None)
@given(
    signed=st.booleans(),
    rescale=st.sampled_from([None, (1, -1024), (2.5, 7), (0.001, 0)]),
    window=st.tuples(st.integers(-500, 2500), st.integers(2, 5000)),
    function=st.sampled_from([None, "LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_against_pydicom(
    signed: bool, rescale: tuple[float, float] | None, window: tuple[int, int], function: str | None
) -> None:
    elements: dict[str, Any] = {"WindowCenter": window[0], "WindowWidth": window[1], "BitsStored": 12}
    if rescale is not None:
        elements |= {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1]}
    if function is not None:
        elements["VOILUTFunction"] = function
    values = SIGNED if signed else DEEP
    header = make_header(values, **elements)
    with np.errstate(over="ignore"):
        shown = apply_voi_lut(apply_modality_lut(values, header), header)
    slope, intercept = rescale or (1, 0)
    low, high = (slope * end + intercept for end in ((-2048, 2047) if signed else (0, 4095)))
    expected = (shown - low) / (high - low) * 255
    image = decode_image(dicom_bytes(values, **elements))
    assert np.abs(image.pixels - expected).max() <= 0.5 + 1e-6
    name = {None: "linear", "LINEAR": "linear", "LINEAR_EXACT": "linear exact", "SIGMOID": "sigmoid"}[function]
    assert image.window == Window(*window, "header", name)


def test_the_first_of_several_windows() -> None:
    image = decode_image(dicom_bytes(DEEP, WindowCenter=[300, 40], WindowWidth=[1500, 80]))
    assert image.window == Window(300, 1500, "header")
    assert np.array_equal(image.pixels, linear(DEEP, 300, 1500))


def test_a_given_window_comes_first_and_counts_after_the_rescale() -> None:
    data = dicom_bytes(DEEP, WindowCenter=300, WindowWidth=1500, RescaleSlope=1, RescaleIntercept=-1024)
    image = decode_image(data, window=(40, 400))
    assert image.window == Window(40, 400, "given")
    assert np.array_equal(image.pixels, linear(DEEP - 1024.0, 40, 400))


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"WindowCenter": 100},
        {"WindowWidth": 100},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": "0.5"},
        {"WindowCenter": 100, "WindowWidth": -3, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 100, "WindowWidth": 100, "VOILUTFunction": "CUBIC"},
    ],
    ids=str,
)
def test_without_a_window_that_means_something_the_full_range_is_used_and_recorded(elements: dict[str, Any]) -> None:
    image = decode_image(dicom_bytes(DEEP, **elements))
    low, high = int(DEEP.min()), int(DEEP.max())
    assert image.window == Window((low + high) / 2 + 0.5, high - low + 1, "full range")
    assert (int(image.pixels.min()), int(image.pixels.max())) == (0, 255)


def test_eight_bits_that_nothing_transforms_are_shades() -> None:
    image = decode_image(dicom_bytes(BYTES))
    assert np.array_equal(image.pixels, BYTES)
    assert image.window == Window(128, 256, "full range")
    few = decode_image(dicom_bytes(BYTES >> 4, BitsStored=4))
    assert np.array_equal(few.pixels, (BYTES >> 4) * 17)
    assert few.window == Window(8, 16, "full range")


def test_monochrome1_and_inverse_are_turned_once() -> None:
    upright = decode_image(dicom_bytes(DEEP)).pixels
    for elements in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
    ):
        assert np.array_equal(decode_image(dicom_bytes(DEEP, **elements)).pixels, 255 - upright)
    assert np.array_equal(decode_image(dicom_bytes(DEEP, PresentationLUTShape="IDENTITY")).pixels, upright)


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("first", [0, 100, -50])
def test_modality_table(vr: str, first: int) -> None:
    entries = [(7 * number) % 1000 for number in range(2000)]
    values = SIGNED if first < 0 else DEEP
    data = dicom_bytes(values, ModalityLUTSequence=[table(first, 10, entries, vr)], WindowCenter=500, WindowWidth=1000)
    looked_up = np.array(entries)[np.clip(values.astype(int) - first, 0, 1999)]
    assert np.array_equal(decode_image(data).pixels, linear(looked_up, 500, 1000))


@pytest.mark.parametrize("vr", ["US", "OW"])
def test_voi_table(vr: str) -> None:
    entries = [min(1023, number // 3) for number in range(4096)]
    lut = table(0, 10, entries, vr)
    image = decode_image(dicom_bytes(DEEP, VOILUTSequence=[lut], WindowCenter=1, WindowWidth=2))
    assert np.array_equal(image.pixels, np.floor(np.array(entries)[DEEP] / 1023 * 255 + 0.5))
    assert image.window == Window(2048, 4096, "voi lut", "table")


def test_voi_table_of_negative_inputs_written_as_unsigned() -> None:
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [2048, 65536 - 1024, 8])
    lut.add_new("LUTData", "US", [number // 8 for number in range(2048)])
    image = decode_image(dicom_bytes(DEEP, VOILUTSequence=[lut], RescaleSlope=1, RescaleIntercept=-1024))
    assert np.array_equal(image.pixels, np.clip(DEEP, 0, 2047) // 8)


def test_voi_table_of_65536_entries_of_8_bits_packed() -> None:
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [0, 0, 8])
    lut.add_new("LUTData", "OW", (np.arange(65536) >> 8).astype(np.uint8).tobytes())
    values = RNG.integers(0, 65536, (6, 6)).astype(np.uint16)
    assert np.array_equal(decode_image(dicom_bytes(values, VOILUTSequence=[lut])).pixels, values >> 8)


def test_tables_and_palettes_in_big_endian() -> None:
    entries = np.arange(4096) // 4
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [4096, 0, 10])
    lut.add_new("LUTData", "OW", entries.astype(">u2").tobytes())
    image = decode_image(dicom_bytes(DEEP, VOILUTSequence=[lut], syntax=uid.ExplicitVRBigEndian))
    assert np.array_equal(image.pixels, np.floor(entries[DEEP] / 1023 * 255 + 0.5))

    colors = RNG.integers(0, 256, (256, 3))
    elements = palette_elements(colors << 8, 16)
    for name in ("Red", "Green", "Blue"):
        keyword = f"{name}PaletteColorLookupTableData"
        elements[keyword] = np.frombuffer(elements[keyword], "<u2").byteswap().tobytes()
    image = decode_image(dicom_bytes(BYTES, syntax=uid.ExplicitVRBigEndian, **elements))
    assert np.array_equal(image.pixels, colors[BYTES])


def test_a_table_shorter_than_it_says_is_an_error() -> None:
    lut = table(0, 10, [1, 2, 3])
    lut.LUTDescriptor = [9, 0, 10]
    with pytest.raises(ImageError, match="damaged"):
        decode_image(dicom_bytes(DEEP, VOILUTSequence=[lut]))


def test_a_slope_of_zero_is_an_error() -> None:
    with pytest.raises(ImageError, match=r"^Expected a rescale slope other than 0, but x = RescaleSlope 0\. "):
        decode_image(dicom_bytes(DEEP, RescaleSlope=0, RescaleIntercept=5), name="x")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("value", [-2000, 63536])
def test_padding_is_black_and_outside_the_range(photometric: str, value: int) -> None:
    values = SIGNED // 4
    values[:3] = -2000
    header = make_header(values, PhotometricInterpretation=photometric)
    header.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    header.PixelData = values.tobytes()
    header["PixelData"].VR = "OW"
    image = decode_image(write(header))
    kept = values[3:]
    assert not image.pixels[:3].any()
    assert image.window is not None
    assert image.window.width == int(kept.max()) - int(kept.min()) + 1
    light = linear(kept, image.window.center, image.window.width)
    assert np.array_equal(image.pixels[3:], 255 - light if photometric == "MONOCHROME1" else light)


def test_padding_range() -> None:
    image = decode_image(dicom_bytes(DEEP, PixelPaddingValue=0, PixelPaddingRangeLimit=1000))
    kept = DEEP[DEEP > 1000]
    assert image.window == Window((int(kept.min()) + int(kept.max())) / 2 + 0.5, np.ptp(kept) + 1, "full range")
    assert not image.pixels[DEEP <= 1000].any()


def test_float_pixels() -> None:
    for kind in (np.float32, np.float64):
        values = (DEEP / 1000 - 2).astype(kind)
        values[0, 0] = np.nan
        data = dicom_bytes(values, sop_class=uid.ParametricMapStorage)
        image = decode_image(data)
        low, high = np.nanmin(values), np.nanmax(values)
        expected = np.floor(np.nan_to_num((values - low) / (high - low)) * 255 + 0.5)
        assert np.abs(image.pixels - expected).max() <= (1 if kind == np.float32 else 0)
        assert image.pixels[0, 0] == 0
        assert image.window is not None
        assert image.window.source == "full range"


def test_bits_above_and_below_the_pixel_do_not_count() -> None:
    overlay = (RNG.integers(0, 16, DEEP.shape) << 12).astype(np.uint16)
    expected = decode_image(dicom_bytes(DEEP, BitsStored=12)).pixels
    assert np.array_equal(decode_image(dicom_bytes(DEEP | overlay, BitsStored=12)).pixels, expected)
    shifted = (DEEP << 4).astype(np.uint16) | 7
    assert np.array_equal(decode_image(dicom_bytes(shifted, BitsStored=12, HighBit=15)).pixels, expected)


def test_twelve_signed_bits_keep_their_sign() -> None:
    stored = (SIGNED & 0x0FFF).astype(np.int16)  # the upper bits left empty, as some writers do
    assert np.array_equal(
        decode_image(dicom_bytes(stored, BitsStored=12)).pixels, decode_image(dicom_bytes(SIGNED)).pixels
    )


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("signed", ["u", "i"])
def test_wide_values(bits: int, signed: str) -> None:
    limits = np.iinfo(f"{signed}{bits // 8}")
    values = RNG.integers(limits.min, limits.max, (7, 9), dtype=limits.dtype, endpoint=True)
    low, high = float(values.min()), float(values.max())
    expected = np.floor((values.astype(np.float64) - low) / (high - low) * 255 + 0.5)
    assert np.array_equal(decode_image(dicom_bytes(values)).pixels, expected)


def test_one_bit() -> None:
    bits = RNG.integers(0, 2, (5, 16)).astype(np.uint8)
    header = make_header(bits, BitsAllocated=1, BitsStored=1, sop_class=uid.SecondaryCaptureImageStorage)
    header.PixelData = np.packbits(bits, bitorder="little").tobytes()
    header["PixelData"].VR = "OW"
    assert np.array_equal(decode_image(write(header)).pixels, bits * 255)


FRAMES = RNG.integers(0, 4096, (5, 6, 8)).astype(np.uint16)


def test_the_middle_frame_unless_told() -> None:
    data = dicom_bytes(FRAMES, frames=5, WindowCenter=2048, WindowWidth=4096)
    image = decode_image(data)
    assert (image.frame, image.frames) == (2, 5)
    assert np.array_equal(image.pixels, linear(FRAMES[2], 2048, 4096))
    for frame in range(5):
        assert np.array_equal(decode_image(data, frame=frame).pixels, linear(FRAMES[frame], 2048, 4096))


def test_one_frame_that_is_counted_is_one_frame() -> None:
    image = decode_image(dicom_bytes(DEEP[None], frames=1))
    assert (image.frame, image.frames) == (None, 1)
    assert np.array_equal(image.pixels, decode_image(dicom_bytes(DEEP), frame=0).pixels)


def test_functional_groups_of_the_frame_come_first_then_shared_then_top() -> None:
    def window(center: float) -> Dataset:
        return item(FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=1000)])

    def rescale(intercept: float) -> Dataset:
        return item(PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=intercept)])

    per_frame = [window(100 * number) for number in range(5)]
    shared = rescale(-700)
    shared.FrameVOILUTSequence = [item(WindowCenter=9999, WindowWidth=2)]
    data = dicom_bytes(
        FRAMES,
        frames=5,
        sop_class=uid.EnhancedCTImageStorage,
        PerFrameFunctionalGroupsSequence=per_frame,
        SharedFunctionalGroupsSequence=[shared],
        WindowCenter=5,
        WindowWidth=5,
    )
    image = decode_image(data, frame=3)
    assert image.window == Window(300, 1000, "header")
    assert np.array_equal(image.pixels, linear(FRAMES[3] - 700.0, 300, 1000))

    only_shared = dicom_bytes(
        FRAMES, frames=5, SharedFunctionalGroupsSequence=[window(40)], RescaleIntercept=9, RescaleSlope=2
    )
    image = decode_image(only_shared)
    assert np.array_equal(image.pixels, linear(FRAMES[2] * 2.0 + 9, 40, 1000))


COLOR = RNG.integers(0, 256, (6, 8, 3)).astype(np.uint8)


def test_rgb_by_pixel_and_by_plane() -> None:
    assert np.array_equal(decode_image(dicom_bytes(COLOR)).pixels, COLOR)
    planes = np.ascontiguousarray(COLOR.transpose(2, 0, 1))
    header = make_header(COLOR, PlanarConfiguration=1)
    header.PixelData = planes.tobytes()
    header["PixelData"].VR = "OB"
    image = decode_image(write(header))
    assert np.array_equal(image.pixels, COLOR)
    assert image.window is None


def test_rgb_of_more_than_eight_bits_is_spread_over_its_range_as_gray_is() -> None:
    color = COLOR.copy()
    color[0, :2, 0] = 0, 255
    deep = color.astype(np.uint16) * 257
    assert np.array_equal(decode_image(dicom_bytes(deep)).pixels, color)
    assert np.array_equal(decode_image(dicom_bytes(deep >> 4, BitsStored=12)).pixels, color)
    dark = dicom_bytes(color.astype(np.uint16) * 12)  # under 4096 of 65536
    assert np.array_equal(decode_image(dark).pixels, color)
    # Eight bits are shades already, in whatever they are stored.
    assert np.array_equal(decode_image(dicom_bytes(COLOR.astype(np.uint16), BitsStored=8)).pixels, COLOR)


def test_equal_channels_are_gray() -> None:
    image = decode_image(dicom_bytes(np.stack([BYTES] * 3, -1)))
    assert np.array_equal(image.pixels, BYTES)
    assert image.window is None


def ybr(color: np.ndarray) -> np.ndarray:
    """PS3.3 C.7.6.3.1.2, YBR_FULL."""
    matrix = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5000], [0.5000, -0.4187, -0.0813]])
    return np.clip(np.rint(color @ matrix.T + [0, 128, 128]), 0, 255).astype(np.uint8)


def test_ybr_full_and_422() -> None:
    data = dicom_bytes(ybr(COLOR), PhotometricInterpretation="YBR_FULL")
    assert np.abs(decode_image(data).pixels.astype(int) - COLOR).max() <= 2

    pairs = np.repeat(COLOR[:, ::2], 2, axis=1)  # two pixels of one color share their Cb and Cr
    full = ybr(pairs)
    packed = np.stack([full[:, ::2, 0], full[:, 1::2, 0], full[:, ::2, 1], full[:, ::2, 2]], -1)
    header = make_header(pairs, PhotometricInterpretation="YBR_FULL_422")
    header.PixelData = packed.tobytes()
    header["PixelData"].VR = "OB"
    assert np.abs(decode_image(write(header)).pixels.astype(int) - pairs).max() <= 2


def palette_elements(colors: np.ndarray, bits: int, first: int = 0) -> dict[str, Any]:
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for channel, name in enumerate(("Red", "Green", "Blue")):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [len(colors) % 65536, first, bits]
        kind = "u1" if bits == 8 else "<u2"
        elements[f"{name}PaletteColorLookupTableData"] = colors[:, channel].astype(kind).tobytes()
    return elements


def test_palettes_of_8_and_16_bits() -> None:
    colors = RNG.integers(0, 256, (200, 3))
    places = RNG.integers(0, 256, (6, 8)).astype(np.uint8)
    expected = colors[np.clip(places.astype(int) - 20, 0, 199)]
    for bits, stored in ((8, colors), (16, colors << 8), (16, colors * 257), (16, colors)):
        image = decode_image(dicom_bytes(places, **palette_elements(stored, bits, 20)))
        assert np.array_equal(image.pixels, expected)
        assert image.window is None


def test_a_palette_of_more_colors_than_a_byte_counts() -> None:
    colors = RNG.integers(0, 256, (4096, 3))
    image = decode_image(dicom_bytes(DEEP, **palette_elements(colors, 8), BitsStored=12))
    assert np.array_equal(image.pixels, colors[DEEP])


def test_segmented_palette_against_pydicom() -> None:
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        # A discrete segment of one entry, then a line over 255 (PS3.3 C.7.9.2).
        segments = np.array([0, 1, 5 << 8, 1, 255, (200 - 50 * number) << 8], "<u2")
        elements[f"Segmented{name}PaletteColorLookupTableData"] = segments.tobytes()
    data = dicom_bytes(BYTES, **elements)
    header = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    assert np.array_equal(decode_image(data).pixels, apply_color_lut(BYTES, header) >> 8)


@pytest.mark.parametrize(
    "pixels",
    [dicom_bytes(COLOR), dicom_bytes(BYTES, **palette_elements(RNG.integers(0, 256, (256, 3)), 8))],
    ids=["RGB", "palette"],
)
def test_a_window_over_color_is_refused(pixels: bytes) -> None:
    with pytest.raises(ImageError, match=r"^Expected a gray image to apply a window to, but x = in color\. Leave"):
        decode_image(pixels, name="x", window=(40, 400))


@pytest.mark.parametrize(
    ("photometric", "pixels"), [("HSV", COLOR), ("YBR_PARTIAL_422", COLOR), ("RGB", BYTES), ("MONOCHROME2", COLOR)]
)
def test_other_color_spaces_are_refused_by_name(photometric: str, pixels: np.ndarray) -> None:
    with pytest.raises(
        ImageError, match=f"^Expected gray, palette, RGB or YBR_FULL pixels, but x = {photometric} with "
    ):
        decode_image(dicom_bytes(pixels, PhotometricInterpretation=photometric), name="x")


def test_a_color_space_that_is_none_is_not_quoted() -> None:
    with pytest.raises(ImageError, match="but x = another color space with 3 samples a pixel"):
        decode_image(dicom_bytes(COLOR, PhotometricInterpretation="SECRET"), name="x")
