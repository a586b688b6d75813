"""What is said about a file that cannot be decoded: one line that names it, and nothing about the patient."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import Limits, decode_image, measure_images, read_header
from radcbir_core.images.decoding.decoding_request import shown
from tests.core.images.dicom_files import SECRET, dicom_bytes, encapsulated_bytes, jpeg

GRAY = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)


def png() -> bytes:
    file = BytesIO()
    Image.fromarray(GRAY).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expected an image file, but x.png = empty (0 bytes). Copy it again from its source."),
        (
            b"patient,finding\n1,none\n",
            "Expected a PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI file, but x.png = text. "
            "Convert it to one of these, or leave it out.",
        ),
        (
            b"GIF89a" + bytes(20),
            "Expected a PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI file, but x.png = a GIF. "
            "Convert it to one of these, or leave it out.",
        ),
        (
            bytes(200),
            "Expected a PNG, JPEG, TIFF, WebP, BMP, DICOM or NIfTI file, but x.png = something else. "
            "Convert it to one of these, or leave it out.",
        ),
        (
            png()[:60],
            "Expected a whole, readable PNG file, but x.png = damaged, cut off, or of a kind that cannot be read. "
            "Copy it again from its source, or convert it.",
        ),
        (
            jpeg(GRAY)[:400],
            "Expected a whole, readable JPEG file, but x.png = damaged, cut off, or of a kind that cannot be read. "
            "Copy it again from its source, or convert it.",
        ),
        (
            dicom_bytes(GRAY)[:-100],
            "Expected 600 bytes of pixel data, but x.png = cut off after 500. Copy it again from its source.",
        ),
        (
            bytes(128) + b"DICM" + b"garbage that goes on for a while",
            "Expected a DICOM image with its pixel data, but x.png = without them, or cut off before them. "
            "Copy it again from its source.",
        ),
    ],
    ids=["empty", "text", "GIF", "zeros", "cut PNG", "cut JPEG", "cut DICOM", "DICOM of nothing"],
)
def test_messages(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="x.png")
    assert str(caught.value) == message
    file = tmp_path / "x.png"
    file.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        decode_image(file)
    assert str(caught.value) == message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(tmp_path / "gone.png")
    assert str(caught.value) == "Expected an image file, but gone.png = not there. Check the path."


def test_a_folder_and_a_pipe(tmp_path: Path) -> None:
    folder = tmp_path / "folder.dcm"
    folder.mkdir()
    with pytest.raises(ImageError) as caught:
        decode_image(folder)
    assert str(caught.value) == "Expected an image file, but folder.dcm = a folder. Name an image file."
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError) as caught:
            decode_image(tmp_path / "pipe.png")
        assert str(caught.value) == "Expected an image file, but pipe.png = no regular file. Name an image file."


def test_bytes_over_the_limit_are_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.png"
    with file.open("wb") as stream:
        stream.truncate(2**33)
    with pytest.raises(ImageTooLargeError) as caught:
        decode_image(file)
    assert str(caught.value) == (
        "Expected at most 536,870,912 bytes, but huge.png = 8,589,934,592 bytes. Make the image smaller."
    )
    assert decode_image(png(), limits=Limits(max_bytes=len(png()))).pixels.shape == GRAY.shape
    with pytest.raises(ImageTooLargeError):
        decode_image(png(), limits=Limits(max_bytes=len(png()) - 1))


@pytest.mark.parametrize(
    ("frame", "frames", "message"),
    [
        (3, 3, "Expected a frame from 0 to 2, but x = asked for frame 3. Ask for another frame."),
        (-1, 3, "Expected a frame from 0 to 2, but x = asked for frame -1. Ask for another frame."),
        (1, None, "Expected frame 0, the only one, but x = asked for frame 1. Ask for another frame."),
    ],
)
def test_frames_that_are_not_there(frame: int, frames: int | None, message: str) -> None:
    pixels = GRAY if frames is None else np.stack([GRAY] * frames)
    with pytest.raises(ImageError) as caught:
        decode_image(dicom_bytes(pixels, frames=frames), name="x", frame=frame)
    assert str(caught.value) == message
    if frames is None:
        with pytest.raises(ImageError) as caught:
            decode_image(png(), name="x", frame=frame)
        assert str(caught.value) == message


@pytest.mark.parametrize("window", [(40, 0), (40, 0.5), (float("nan"), 400), (40, float("inf"))])
@pytest.mark.parametrize("data", [png(), dicom_bytes(GRAY)], ids=["PNG", "DICOM"])
def test_windows_that_mean_nothing(window: tuple[float, float], data: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(data, name="x", window=window)
    assert str(caught.value) == (
        "Expected a window with a finite center and a width of at least 1, "
        f"but x = asked for center {window[0]}, width {window[1]}. Give another window."
    )


def test_numbers_may_be_those_of_numpy_and_names_paths(tmp_path: Path) -> None:
    for window in ((np.float32(40), np.float32(80)), np.array([40, 80])):
        image = decode_image(png(), name=Path("a.png"), frame=np.int64(0), window=window)  # type: ignore[arg-type]
        assert image.window is not None
        assert (image.window.center, image.window.width) == (40.0, 80.0)
    (tmp_path / "a.png").write_bytes(png())
    (measured,) = measure_images([(tmp_path / "a.png", "a", np.int64(0))])  # type: ignore[list-item]
    assert not isinstance(measured, ImageError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": 1.5}, "Expected a whole number of a frame, but x = asked for frame 1.5. Give a whole number."),
        ({"window": (1,)}, r"Expected a window of two numbers, but x = asked for \(1,\)"),
        ({"window": "ab"}, "Expected a window of two numbers, but x = asked for 'ab'"),
    ],
)
def test_what_is_no_number_is_an_error_of_the_image(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_image(png(), name="x", **options)


def test_a_path_that_no_system_can_look_for(tmp_path: Path) -> None:
    path = tmp_path / "\0.png"
    message = "Expected an image file, but ?.png = at a path with a null character. Check the path."
    for ask in (decode_image, lambda source: read_header(source, ["Rows"])):
        with pytest.raises(ImageError) as caught:
            ask(path)
        assert str(caught.value) == message
    (error,) = measure_images([(path, "?.png", None)])
    assert str(error) == message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (error,) = measure_images([(tmp_path / "a.png", "a", None)])
    assert "a = no regular file" in str(error)


def test_names_are_one_short_line() -> None:
    assert shown("a\nb\x1b[31m\u202ec.png") == "a?b?[31m?c.png"
    assert shown("Röntgen 胸部.png") == "Röntgen 胸部.png"
    with pytest.raises(ImageError) as caught:
        decode_image(b"", name="evil\nname" + "x" * 1000)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_an_upload_without_a_name() -> None:
    with pytest.raises(ImageError, match=r"^Expected an image file, but the upload = empty"):
        decode_image(b"")


def message_of(data: bytes) -> str:
    """The message of the error, or nothing where there is none."""
    try:
        decode_image(data, name="x")
    except ImageError as error:
        return str(error)
    return ""


def test_no_message_tells_of_the_patient() -> None:
    whole = dicom_bytes(GRAY)
    messages = set()
    for place in range(0, len(whole), 3):
        messages.add(message_of(whole[:place]))
        messages.add(message_of(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]))
    assert len(messages) > 5
    for message in messages - {""}:
        assert SECRET not in message
        assert "\n" not in message
        assert message.startswith("Expected ")
        assert message.endswith(".")


def test_a_frame_that_the_header_does_not_fit() -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(encapsulated_bytes(GRAY, [jpeg(GRAY)], uid.JPEGBaseline8Bit, Rows=10), name="x")
    assert str(caught.value) == (
        "Expected a frame of 30 x 10 x 1, as its header says, but x = a compressed frame of 30 x 20 x 1. "
        "Copy it again from its source."
    )
