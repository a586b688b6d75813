"""PNG, JPEG, TIFF, WebP and BMP, by Pillow.

Owns the way from such a file to gray or RGB pixels. Pillow's plugins are called by name, never through
``Image.open``: no other format can get in, and the limits are ours instead of Pillow's process-wide
``MAX_IMAGE_PIXELS``. A file that breaks off is an error (``LOAD_TRUNCATED_IMAGES`` stays False), never filled up.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import cast

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from radcbir_core.images.decoded_image import DecodedImage, Window
from radcbir_core.images.decoding_request import Request
from radcbir_core.images.grayscale import Rescale, to_display, window_shades

_PLUGINS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
}

_MODES_WITH_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_MODES = _MODES_WITH_ALPHA | {"1", "L", "P", "RGB", "CMYK", "YCbCr"}

_ORIENTATION = 0x0112
_TIFF_PHOTOMETRIC = 262
_TIFF_SAMPLE_FORMAT = 339
_TIFF_WHITE_IS_ZERO = 0
_TIFF_UNSIGNED = 1
_TIFF_PLANAR = 284
_TIFF_INTERLEAVED = 1

# Orientation 2 to 8 (EXIF 2.32, 4.6.4, tag 274) as what turns the stored rows into an upright picture.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels, 1),
}


def decode_raster(data: bytes, image_format: str, *, request: Request) -> DecodedImage:
    """Decode one image of a format that Pillow reads.

    Gray of eight bits keeps the file's own values. Deeper gray (16 bit, 32 bit, float) is spread over the full range of
    the image unless a window is given. Color of 16 bits a channel keeps the upper eight, as Pillow does. What is
    transparent is laid on black.

    Args:
        data: the whole file.
        image_format: one of ``PNG JPEG TIFF WEBP BMP``, as `sniff` says.
        request: what is wanted; its limits are checked on the file's header.

    Raises:
        ImageError: an animation, a frame that is not there, a window for a color image.
        ImageTooLargeError: over the pixel limit.
        Exception: whatever Pillow raises on a damaged file; `decode_image` turns it into an ImageError.
    """
    if image_format == "WEBP":
        request.check_pixels(*_webp_size(data))  # Pillow allocates the whole canvas when it opens the file
    with _PLUGINS[image_format](BytesIO(data)) as image:
        frames = int(getattr(image, "n_frames", 1))
        if frames > 1 and image_format != "TIFF":
            raise request.error(
                "a still image", f"an animation of {frames} frames", remedy="Export the frame you want as a PNG."
            )
        frame = request.choose_frame(frames)
        if frames > 1:
            image.seek(frame)
        request.check_pixels(*image.size)
        _check_all_rows_stored(image)
        image.load()
        pixels, window = _to_pixels(image, request)
        if image_format != "TIFF":  # Pillow turns a TIFF upright by itself
            turn = _UPRIGHT.get(_orientation(image))
            pixels = pixels if turn is None else turn(pixels)
    return DecodedImage(np.ascontiguousarray(pixels), window, frame if frames > 1 else None, frames, image_format)


def gray_if_equal(pixels: np.ndarray) -> np.ndarray:
    """(H, W) if the three channels of (H, W, 3) are equal everywhere, else `pixels` itself.

    Many radiographs are saved as RGB. Equal channels are what Pillow's ``convert("L")`` gives for them, exactly.

    Example:
        >>> gray_if_equal(np.full((2, 2, 3), 7, np.uint8)).shape, gray_if_equal(np.eye(3, dtype=np.uint8)[None]).shape
        ((2, 2), (1, 3, 3))
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    # A few rows tell a color image from a gray one nearly always, and cost nothing beside all of them.
    for rows in (slice(None, None, 16), slice(None)):
        if not (np.array_equal(red[rows], green[rows]) and np.array_equal(green[rows], blue[rows])):
            return pixels
    return red


def _to_pixels(image: Image, request: Request) -> tuple[np.ndarray, Window | None]:
    """Gray or RGB pixels of a loaded image, and the window that was needed."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _deep_gray(image, request)
    if image.mode not in _MODES:
        raise request.error(
            "gray, RGB, palette or CMYK pixels", f"in color mode {image.mode}", remedy="Convert it to RGB."
        )
    if image.mode == "La":
        image = image.convert("LA")  # the one mode that has no direct way to RGBA
    if "transparency" in image.info or image.mode in _MODES_WITH_ALPHA:
        pixels = _on_black(np.asarray(image.convert("RGBA")))
    elif image.mode in {"L", "RGB"}:
        pixels = np.asarray(image)  # convert() would copy
    else:
        pixels = np.asarray(image.convert("L" if image.mode == "1" else "RGB"))
    if pixels.ndim == 3:
        pixels = gray_if_equal(pixels)
    if pixels.ndim == 2:
        window = request.given_window()
        return (pixels, None) if window is None else (window_shades(pixels.astype(np.float64), window), window)
    request.refuse_window()
    return pixels, None


def _deep_gray(image: Image, request: Request) -> tuple[np.ndarray, Window]:
    stored = np.asarray(image)
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    inverted = False
    if isinstance(image, TiffImageFile):
        sample_format = image.tag_v2.get(_TIFF_SAMPLE_FORMAT, (_TIFF_UNSIGNED,))
        if image.mode == "I" and sample_format[0] == _TIFF_UNSIGNED:
            stored = stored.view(np.uint32)  # Pillow keeps 32 unsigned bits in a signed type
        if image.tag_v2.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
            inverted = True  # Pillow inverts such a TIFF up to 8 bits only
    return to_display(stored, modality=Rescale(), voi=request.given_window(), inverted=inverted)


def _on_black(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) color of (H, W, 4) laid on black, rounded."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _orientation(image: Image) -> int:
    """How the picture has to be turned (EXIF tag 274); 1, upright, where the file says nothing that can be read."""
    if not any(key in image.info for key in ("exif", "Raw profile type exif", "xmp")):
        return 1
    try:
        return cast(int, image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - Pillow raises SyntaxError, struct.error, KeyError and others on damaged EXIF
        # The notes beside the picture are damaged, not the picture: shown as it is stored.
        return 1


def _check_all_rows_stored(image: ImageFile) -> None:
    """Raise ValueError if an uncompressed TIFF lists fewer strips than its rows need: Pillow would leave them unset."""
    if not isinstance(image, TiffImageFile) or image.use_load_libtiff:
        return
    planes = len(image.getbands()) if image.tag_v2.get(_TIFF_PLANAR, _TIFF_INTERLEAVED) != _TIFF_INTERLEAVED else 1
    boxes = [tile.extents for tile in image.tile if tile.extents is not None]
    covered = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if covered < planes * image.width * image.height:
        raise ValueError("strips are missing")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file (RFC 9649, section 2).

    Raises:
        ValueError: the first chunk is none that can hold a picture.
    """
    chunk = data[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    raise ValueError("no picture in this WebP file")
