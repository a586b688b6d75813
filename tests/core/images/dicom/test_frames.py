"""DICOM files: every transfer syntax that can be written here, files that break off, objects without pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import jpeg_ls
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended, get_frame

from radcbir_core.errors import ImageError, NoPixelDataError
from radcbir_core.images import decode_image
from radcbir_core.images.dicom.frames import SYNTAXES
from tests.core.images.dicom_files import (
    HTJ2K_COLOR_FRAME,
    HTJ2K_COLORS,
    HTJ2K_FRAME,
    HTJ2K_VALUES,
    SECRET,
    compressed_bytes,
    dicom_bytes,
    encapsulated_bytes,
    flat_blocks_jpeg12,
    jpeg,
    lossless_jpeg,
    make_header,
    write,
)

RNG = np.random.default_rng(7)
GRADIENT = np.add.outer(np.arange(40) * 90, np.arange(48) * 60)
DEEP = (GRADIENT % 4096).astype(np.uint16)
SIGNED = (GRADIENT % 4096 - 2048).astype(np.int16)
BYTES = (GRADIENT % 256).astype(np.uint8)
COLOR = np.stack([BYTES, BYTES[::-1], 255 - BYTES], -1)
SMOOTH = np.add.outer(np.arange(32) * 3, np.arange(40) * 2).astype(np.uint8)
SMOOTH_COLOR = np.stack([SMOOTH, 255 - SMOOTH, np.full_like(SMOOTH, 90)], -1)
BLOCKS = RNG.integers(0, 4096, (3, 4))
FLAT = np.kron(BLOCKS, np.ones((8, 8), dtype=int)).astype(np.uint16)
PIXELS = {
    "bytes": (BYTES, 8),
    "12 in 16": (DEEP, 12),
    "16": (DEEP, 16),
    "signed": (SIGNED, 16),
    "signed 12": (SIGNED, 12),
    "color": (COLOR, 8),
}
LOSSLESS_ENCODERS: dict[str, Callable[..., bytes]] = {
    "implicit": lambda a, **o: dicom_bytes(a, syntax=uid.ImplicitVRLittleEndian, **o),
    "explicit": lambda a, **o: dicom_bytes(a, syntax=uid.ExplicitVRLittleEndian, **o),
    "big endian": lambda a, **o: dicom_bytes(a, syntax=uid.ExplicitVRBigEndian, **o),
    "deflated": lambda a, **o: dicom_bytes(a, syntax=uid.DeflatedExplicitVRLittleEndian, **o),
    "RLE": lambda a, **o: compressed_bytes(a, uid.RLELossless, encoder={"encoding_plugin": "pydicom"}, **o),
    "JPEG-LS": lambda a, **o: compressed_bytes(a, uid.JPEGLSLossless, **o),
    "JPEG 2000": lambda a, **o: compressed_bytes(a, uid.JPEG2000Lossless, **o),
}


@pytest.mark.parametrize("encoder", LOSSLESS_ENCODERS)
@pytest.mark.parametrize(("pixels", "bits"), PIXELS.values(), ids=PIXELS.keys())
def test_lossless_syntaxes_agree(encoder: str, pixels: np.ndarray, bits: int) -> None:
    expected = decode_image(dicom_bytes(pixels, BitsStored=bits))
    image = decode_image(LOSSLESS_ENCODERS[encoder](pixels, BitsStored=bits))
    assert np.array_equal(image.pixels, expected.pixels)
    assert image.window == expected.window
    assert image.pixels.flags.c_contiguous
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize("encoder", LOSSLESS_ENCODERS)
def test_frames_of_lossless_syntaxes(encoder: str) -> None:
    frames = np.stack([BYTES, BYTES[::-1], 255 - BYTES, BYTES.T.reshape(40, 48)])
    data = LOSSLESS_ENCODERS[encoder](frames, frames=4)
    image = decode_image(data)
    assert (image.frame, image.frames) == (2, 4)
    for number in range(4):
        assert np.array_equal(decode_image(data, frame=number).pixels, frames[number])


@pytest.mark.parametrize("columns", [31, 32])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_big_endian_bytes(columns: int, vr: str) -> None:
    frames = RNG.integers(0, 256, (3, 5, columns)).astype(np.uint8)
    data = dicom_bytes(frames, frames=3, syntax=uid.ExplicitVRBigEndian)
    if vr == "OB":
        header = make_header(frames, frames=3, syntax=uid.ExplicitVRBigEndian)
        header.PixelData = frames.tobytes() + b"\0" * (frames.size % 2)
        header["PixelData"].VR = "OB"
        data = write(header)
    for number in range(3):
        assert np.array_equal(decode_image(data, frame=number).pixels, frames[number])


@pytest.mark.parametrize(
    ("syntax", "options", "tolerance"),
    [(uid.JPEGLSNearLossless, {"jls_error": 2}, 2), (uid.JPEG2000, {"j2k_cr": [4]}, 12)],
)
@pytest.mark.parametrize("pixels", [SMOOTH, SMOOTH_COLOR], ids=["gray", "color"])
def test_lossy_syntaxes(syntax: str, options: dict[str, Any], tolerance: int, pixels: np.ndarray) -> None:
    image = decode_image(compressed_bytes(pixels, syntax, encoder=options))
    assert np.abs(image.pixels.astype(int) - pixels).max() <= tolerance


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_jpeg_of_8_bits(syntax: str) -> None:
    gray = decode_image(encapsulated_bytes(SMOOTH, [jpeg(SMOOTH)], syntax))
    assert np.abs(gray.pixels.astype(int) - SMOOTH).max() <= 3
    for photometric, frame in (
        ("YBR_FULL_422", jpeg(SMOOTH_COLOR)),
        ("YBR_FULL", jpeg(SMOOTH_COLOR, subsampling=0)),
        ("RGB", jpeg(SMOOTH_COLOR)),  # its JFIF segment says YCbCr, and is right
        ("YBR_FULL_422", without_segment(jpeg(SMOOTH_COLOR), 0xE0)),
        ("RGB", jpeg(SMOOTH_COLOR, keep_rgb=True)),
        ("RGB", without_segment(jpeg(SMOOTH_COLOR, keep_rgb=True), 0xEE)),
    ):
        data = encapsulated_bytes(SMOOTH_COLOR, [frame], syntax, PhotometricInterpretation=photometric)
        assert np.abs(decode_image(data).pixels.astype(int) - SMOOTH_COLOR).max() <= 8, photometric


def without_segment(frame: bytes, marker: int) -> bytes:
    place = frame.find(bytes([0xFF, marker]))
    if place < 0:
        return frame
    return frame[:place] + frame[place + 2 + int.from_bytes(frame[place + 2 : place + 4]) :]


@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLosslessSV1])
@pytest.mark.parametrize(
    ("pixels", "precision", "bits"),
    [(BYTES, 8, 8), (DEEP, 12, 12), (DEEP, 16, 16), (DEEP, 16, 12), (SIGNED, 12, 12), (SIGNED, 16, 16), (COLOR, 8, 8)],
    ids=["8", "12", "16", "12 in 16", "signed 12", "signed 16", "color"],
)
def test_lossless_jpeg(syntax: str, pixels: np.ndarray, precision: int, bits: int) -> None:
    unsigned = pixels.astype(np.int64) % 2**precision
    data = encapsulated_bytes(pixels, [lossless_jpeg(unsigned, precision)], syntax, BitsStored=bits)
    assert np.array_equal(decode_image(data).pixels, decode_image(dicom_bytes(pixels, BitsStored=bits)).pixels)


def test_eight_bits_of_jpeg_in_a_header_of_16() -> None:
    values = BYTES.astype(np.uint16)
    data = encapsulated_bytes(values, [lossless_jpeg(BYTES, 8)], uid.JPEGLosslessSV1, BitsStored=8)
    assert np.array_equal(decode_image(data).pixels, BYTES)


def test_extended_jpeg_of_12_bits() -> None:
    data = encapsulated_bytes(FLAT, [flat_blocks_jpeg12(BLOCKS)], uid.JPEGExtended12Bit, BitsStored=12)
    assert np.array_equal(decode_image(data).pixels, decode_image(dicom_bytes(FLAT, BitsStored=12)).pixels)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
def test_htj2k(syntax: str) -> None:
    data = encapsulated_bytes(HTJ2K_VALUES, [HTJ2K_FRAME], syntax)
    assert np.array_equal(decode_image(data).pixels, decode_image(dicom_bytes(HTJ2K_VALUES)).pixels)


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K])
def test_htj2k_in_color(syntax: str) -> None:
    for name in ("YBR_RCT", "RGB", "YBR_FULL"):  # the stream says that a transform is to be undone, and is believed
        for planar in (0, 1):
            data = encapsulated_bytes(
                HTJ2K_COLORS, [HTJ2K_COLOR_FRAME], syntax, PhotometricInterpretation=name, PlanarConfiguration=planar
            )
            assert np.array_equal(decode_image(data).pixels, HTJ2K_COLORS), name


@pytest.mark.parametrize("irreversible", [False, True])
@pytest.mark.parametrize("name", ["RGB", "YBR_RCT", "YBR_ICT", "YBR_FULL", "YBR_FULL_422"])
def test_jpeg_2000_whose_components_are_transformed_is_rgb_whatever_the_header_says(
    name: str, irreversible: bool
) -> None:
    frame = jpeg_2000_frame(SMOOTH_COLOR, irreversible=irreversible, mct=1)
    syntax = uid.JPEG2000 if irreversible else uid.JPEG2000Lossless
    pixels = decode_image(encapsulated_bytes(SMOOTH_COLOR, [frame], syntax, PhotometricInterpretation=name)).pixels
    assert np.abs(pixels.astype(int) - SMOOTH_COLOR).max() <= int(irreversible)


@pytest.mark.parametrize("name", ["RGB", "YBR_RCT", "YBR_FULL"])
def test_jpeg_2000_without_a_transform_is_what_the_header_says(name: str) -> None:
    """Named after a transform that the stream has not got, it is RGB as it is; YBR_FULL is turned into RGB."""
    components = np.asarray(Image.fromarray(SMOOTH_COLOR).convert("YCbCr")) if name == "YBR_FULL" else SMOOTH_COLOR
    frame = jpeg_2000_frame(components, mct=0)
    data = encapsulated_bytes(SMOOTH_COLOR, [frame], uid.JPEG2000Lossless, PhotometricInterpretation=name)
    tolerance = 3 if name == "YBR_FULL" else 0
    assert np.abs(decode_image(data).pixels.astype(int) - SMOOTH_COLOR).max() <= tolerance


COLOR_ENCODERS: dict[str, tuple[Callable[..., bytes], int]] = {
    "JPEG": (lambda a, **o: encapsulated_bytes(a, [jpeg(a, subsampling=0)], uid.JPEGBaseline8Bit, **o), 8),
    "JPEG in RGB": (lambda a, **o: encapsulated_bytes(a, [jpeg(a, keep_rgb=True)], uid.JPEGExtended12Bit, **o), 8),
    "lossless JPEG": (lambda a, **o: encapsulated_bytes(a, [lossless_jpeg(a, 8)], uid.JPEGLosslessSV1, **o), 0),
    "JPEG-LS by plane": (lambda a, **o: encapsulated_bytes(a, [jpeg_ls_frame(a, 0)], uid.JPEGLSLossless, **o), 0),
    "JPEG-LS by line": (lambda a, **o: encapsulated_bytes(a, [jpeg_ls_frame(a, 1)], uid.JPEGLSLossless, **o), 0),
    "JPEG-LS by pixel": (lambda a, **o: encapsulated_bytes(a, [jpeg_ls_frame(a, 2)], uid.JPEGLSLossless, **o), 0),
    "JPEG 2000": (lambda a, **o: encapsulated_bytes(a, [jpeg_2000_frame(a)], uid.JPEG2000Lossless, **o), 0),
    "RLE": (lambda a, **o: encapsulated_bytes(a, [rle_frame(a)], uid.RLELossless, **o), 0),
}


def jpeg_ls_frame(pixels: np.ndarray, interleave_mode: int) -> bytes:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)) if interleave_mode == 0 else pixels
    return bytes(jpeg_ls.encode_array(planes, interleave_mode=interleave_mode))


def jpeg_2000_frame(pixels: np.ndarray, *, irreversible: bool = False, mct: int = 1) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG2000", irreversible=irreversible, no_jp2=True, mct=mct)
    return file.getvalue()


def rle_frame(pixels: np.ndarray) -> bytes:
    header = make_header(pixels)
    header.compress(uid.RLELossless, pixels, encoding_plugin="pydicom", generate_instance_uid=False)
    return get_frame(header.PixelData, 0, number_of_frames=1)


@pytest.mark.parametrize("kind", COLOR_ENCODERS)
def test_planar_configuration_means_nothing_where_pixels_are_compressed(kind: str) -> None:
    encode, tolerance = COLOR_ENCODERS[kind]
    for planar in (0, 1, None):  # the attribute may be missing, too
        pixels = decode_image(encode(SMOOTH_COLOR, PlanarConfiguration=planar)).pixels
        assert np.abs(pixels.astype(int) - SMOOTH_COLOR).max() <= tolerance, planar


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian]
)
def test_planar_configuration_is_kept_where_pixels_are_not_compressed(syntax: str) -> None:
    planes = np.ascontiguousarray(SMOOTH_COLOR.transpose(2, 0, 1)).reshape(SMOOTH_COLOR.shape)
    data = dicom_bytes(planes, syntax=syntax, PlanarConfiguration=1)
    assert np.array_equal(decode_image(data).pixels, SMOOTH_COLOR)


def test_a_compressed_file_that_was_stored_by_plane_once() -> None:
    folder = Path(__file__).parents[5] / "shared" / "cases" / "01_planar1_compressed_color"
    if not folder.is_dir():
        pytest.skip("the files of this case are not here")
    truth = np.asarray(Image.open(folder / "truth.png")).astype(int)
    assert np.abs(decode_image(folder / "jpeg_pc1.dcm").pixels - truth).max() <= 14


def test_every_syntax_is_tested_here() -> None:
    tested = {
        uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless,
        uid.DeflatedExplicitVRLittleEndian, uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless,
        uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K, uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1,
    }  # fmt: skip
    assert tested == SYNTAXES


# An extended offset table allows one fragment a frame (PS3.5, A.4).
@pytest.mark.parametrize(
    ("table", "fragments"), [("none", 1), ("none", 3), ("basic", 1), ("basic", 3), ("extended", 1)]
)
def test_frames_are_found_with_and_without_offset_tables(table: str, fragments: int) -> None:
    frames = np.stack([BYTES, BYTES[::-1], 255 - BYTES])
    encoded = [lossless_jpeg(frame, 8) for frame in frames]
    header = make_header(frames, frames=3, syntax=uid.JPEGLosslessSV1)
    if table == "extended":
        header.PixelData, header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths = encapsulate_extended(encoded)
    else:
        header.PixelData = encapsulate(encoded, fragments_per_frame=fragments, has_bot=table == "basic")
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    data = write(header)
    for number in range(3):
        assert np.array_equal(decode_image(data, frame=number).pixels, frames[number])


def test_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "scan"
    for data in (dicom_bytes(BYTES), compressed_bytes(BYTES, uid.JPEGLSLossless)):
        file.write_bytes(data)
        assert np.array_equal(decode_image(file).pixels, BYTES)


def test_only_the_frame_that_is_wanted_is_read(tmp_path: Path) -> None:
    # 2,000 frames of 1,024 x 1,024 would be 2 GiB; the file is sparse, so reading it all would show in the time.
    header = make_header(np.zeros((1, 1024, 1024), np.uint8), frames=1)
    header.NumberOfFrames = 400
    header.PixelData = b""
    header["PixelData"].VR = "OW"
    data = write(header)
    file = tmp_path / "long"
    length = 400 * 1024 * 1024
    with file.open("wb") as stream:
        stream.write(data[:-4] + struct.pack("<L", length))
        stream.truncate(len(data) + length)
        stream.seek(len(data) + 200 * 1024 * 1024 + 3)
        stream.write(b"\x2a")
    image = decode_image(file)
    assert (image.frame, image.frames) == (200, 400)
    assert (int(image.pixels[0, 3]), int(image.pixels.sum())) == (42, 42)


CUT: dict[str, Callable[[], bytes]] = {
    "explicit": lambda: dicom_bytes(DEEP),
    "implicit": lambda: dicom_bytes(DEEP, syntax=uid.ImplicitVRLittleEndian),
    "frames": lambda: dicom_bytes(np.stack([BYTES] * 3), frames=3),
    "deflated": lambda: dicom_bytes(DEEP, syntax=uid.DeflatedExplicitVRLittleEndian),
    "RLE": lambda: compressed_bytes(DEEP, uid.RLELossless, encoder={"encoding_plugin": "pydicom"}),
    "JPEG": lambda: encapsulated_bytes(SMOOTH, [jpeg(SMOOTH)], uid.JPEGBaseline8Bit),
    "lossless JPEG": lambda: encapsulated_bytes(DEEP, [lossless_jpeg(DEEP, 12)], uid.JPEGLosslessSV1, BitsStored=12),
    "JPEG-LS": lambda: compressed_bytes(DEEP, uid.JPEGLSLossless),
    "JPEG 2000": lambda: compressed_bytes(DEEP, uid.JPEG2000Lossless),
    "HTJ2K": lambda: encapsulated_bytes(HTJ2K_VALUES, [HTJ2K_FRAME], uid.HTJ2KLossless),
}


@pytest.mark.parametrize("kind", CUT)
def test_a_file_cut_off_anywhere_is_an_error(kind: str) -> None:
    data = CUT[kind]()
    for length in [*range(1, len(data), max(1, len(data) // 50)), *range(len(data) - 12, len(data))]:
        with pytest.raises(ImageError) as caught:
            decode_image(data[:length], name="cut")
        assert "cut = " in str(caught.value)
        assert SECRET not in str(caught.value)


FRAMES_CUT: dict[str, tuple[np.ndarray, bytes, str, int]] = {
    "JPEG": (SMOOTH, jpeg(SMOOTH), uid.JPEGBaseline8Bit, 8),
    "lossless JPEG of 8 bits": (BYTES, lossless_jpeg(BYTES, 8), uid.JPEGLosslessSV1, 8),
    "lossless JPEG": (DEEP, lossless_jpeg(DEEP, 12), uid.JPEGLosslessSV1, 12),
    "12-bit JPEG": (FLAT, flat_blocks_jpeg12(BLOCKS), uid.JPEGExtended12Bit, 12),
    "HTJ2K": (HTJ2K_VALUES, HTJ2K_FRAME, uid.HTJ2KLossless, 16),
}


@pytest.mark.parametrize("kind", FRAMES_CUT)
def test_a_whole_file_around_a_frame_that_is_cut_off(kind: str) -> None:
    pixels, frame, syntax, bits = FRAMES_CUT[kind]
    # Pillow does not tell when libjpeg came upon an early end marker and filled the rest; the others do.
    ends = [b""] if bits == 8 else [b"", b"\xff\xd9"]
    for share in (0.3, 0.6, 0.9):
        for end in ends:
            data = encapsulated_bytes(pixels, [frame[: int(len(frame) * share)] + end], syntax, BitsStored=bits)
            with pytest.raises(ImageError, match=r"^Expected .+, but cut = "):
                decode_image(data, name="cut")


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_frame_without_its_end_marker_reaches_no_decoder(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # CharLS would read on past the end of the frame, which takes seconds where it does not end the process.
    header = make_header(DEEP)
    header.compress(syntax, DEEP, generate_instance_uid=False)
    frame = get_frame(header.PixelData, 0, number_of_frames=1)
    monkeypatch.setattr(
        "radcbir_core.images.dicom.frames.get_decoder", lambda _: pytest.fail("a decoder was asked for")
    )
    with pytest.raises(ImageError) as caught:
        decode_image(encapsulated_bytes(DEEP, [frame[: len(frame) // 2]], syntax), name="x")
    assert str(caught.value) == (
        "Expected a compressed frame up to its end marker, but x = cut off in the pixel data. "
        "Copy it again from its source."
    )


def test_a_compressed_frame_of_another_size_is_refused_before_it_is_decoded() -> None:
    for frame, syntax in (
        (jpeg(np.zeros((33, 40), np.uint8)), uid.JPEGBaseline8Bit),
        (jpeg(np.zeros((32, 40, 3), np.uint8)), uid.JPEGBaseline8Bit),
        (HTJ2K_FRAME, uid.HTJ2K),
    ):
        with pytest.raises(
            ImageError, match=r"^Expected a frame of 40 x 32 x 1, as its header says, but x = a compressed"
        ):
            decode_image(encapsulated_bytes(SMOOTH, [frame], syntax), name="x")


def test_pixel_data_shorter_than_the_header_says() -> None:
    data = dicom_bytes(DEEP, Rows=41)
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="short.dcm")
    assert str(caught.value) == (
        "Expected 3,936 bytes of pixel data, but short.dcm = cut off after 3,840. Copy it again from its source."
    )


# Files that come with pydicom: written by other toolkits, each with a way of its own to say what its colors are.
# The five bars of the first kind are red, green, blue, black and gray.
BARS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (192, 192, 192)]


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+n2.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
    ],
)  # fmt: skip
def test_colors_of_other_toolkits(name: str) -> None:
    pixels = decode_image(other(name)).pixels
    assert np.abs(pixels[[5, 25, 45, 65, 85], 50].astype(int) - BARS).max() <= 5


@pytest.mark.parametrize(
    "name", ["SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmd.dcm", "SC_jpeg_no_color_transform.dcm", "SC_rgb_jpeg_app14_dcmd.dcm"]
)
def test_rgb_in_jpeg_of_other_toolkits(name: str) -> None:
    # Nearly white, at a place where the wrong color space would make it magenta.
    assert np.abs(decode_image(other(name)).pixels[12, 128].astype(int) - 244).max() <= 8


def test_one_bone_scan_in_four_syntaxes() -> None:
    reference = decode_image(other("JPEG2000.dcm"), window=(70, 200)).pixels.astype(int)
    for name in ("JPGExtended.dcm", "JPEG-lossy.dcm"):
        pixels = decode_image(other(name), window=(70, 200)).pixels
        assert np.corrcoef(pixels.reshape(-1), reference.reshape(-1))[0, 1] > 0.9
    for name in ("MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm"):
        assert np.array_equal(decode_image(other(name)).pixels, decode_image(other("MR_small.dcm")).pixels)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("liver_1frame.dcm", NoPixelDataError, "a segmentation"),
        ("rtdose.dcm", NoPixelDataError, "a radiotherapy dose"),
        ("rtplan.dcm", NoPixelDataError, "RT Plan Storage without"),
        ("test-SR.dcm", NoPixelDataError, "Comprehensive SR Storage without"),
        ("waveform_ecg.dcm", NoPixelDataError, "12-lead ECG Waveform Storage without"),
        ("rtplan_truncated.dcm", ImageError, "cut off before them"),
        ("MR_truncated.dcm", ImageError, "cut off after 8,130"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", ImageError, "a compressed frame of"),
        ("zipMR.gz", ImageError, "a gzip archive"),
    ],
)
def test_files_of_other_toolkits_that_are_refused(name: str, kind: type[ImageError], words: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(other(name))
    assert type(caught.value) is kind
    assert f"{name} = " in str(caught.value)
    assert words in str(caught.value)


def other(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(str(path))


def test_jpeg_of_one_component_is_what_pillow_decodes() -> None:
    frame = jpeg(SMOOTH)
    decoded = decode_image(encapsulated_bytes(SMOOTH, [frame], uid.JPEGBaseline8Bit)).pixels
    assert np.array_equal(decoded, np.asarray(Image.open(BytesIO(frame))))
