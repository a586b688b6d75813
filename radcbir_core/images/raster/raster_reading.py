"""PNG, JPEG, TIFF, WebP and BMP, by Pillow.

Owns the way from such a file to gray or RGB values. Pillow's plugins are called by name, never through
``Image.open``: no other format can get in, and the limits are ours instead of Pillow's process-wide
``MAX_IMAGE_PIXELS``. A file that breaks off is an error (``LOAD_TRUNCATED_IMAGES`` stays False), never filled up.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from mmap import mmap

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from radcbir_core.images.decoding.decoding_request import Request, too_much_memory
from radcbir_core.images.decoding.file_content import Content
from radcbir_core.images.display.square_pixels import RESAMPLED, is_credible, square_size
from radcbir_core.images.parts import by_parts
from radcbir_core.images.raster.deep_color import deep_values
from radcbir_core.images.raster.jpeg_scans import count_scans
from radcbir_core.images.raster.tiff_pages import TiffPage, full_pages, starting_with
from radcbir_core.images.raster.tiff_samples import Tiff, UnreadSamplesError, is_signed_byte, sample_format
from radcbir_core.images.stored_image import StoredImage

_PLUGINS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "TIFF": Tiff,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
}

_WITH_DEEP_COLOR = frozenset({"PNG", "TIFF"})
_MODES_WITH_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_MODES = _MODES_WITH_ALPHA | {"1", "L", "P", "RGB", "CMYK", "YCbCr"}

_ORIENTATION = 0x0112
_LYING = frozenset({5, 6, 7, 8})
_TIFF_PHOTOMETRIC = 262
_TIFF_X_RESOLUTION = 282
_TIFF_Y_RESOLUTION = 283
_TIFF_COLOR_MAP = 320
_TIFF_WHITE_IS_ZERO = 0
_TIFF_UNSIGNED = 1
_TIFF_PLANAR = 284
_TIFF_INTERLEAVED = 1

_SAMPLES_READ = "a TIFF of color or gray of 8 or 16 bits, or of gray alone of 12 or 32"
_TO_SAMPLES_READ = "Save it as a PNG, or as a plain TIFF of these."

_SEVERAL_SCANS = 2

NOT_TURNED = "Its EXIF data are damaged, so it is shown as it is stored, whichever side is up."
# What Pillow raises on them, tried with 20,000 damaged ones: another header, an offset or a type that there is none of.
_DAMAGED_EXIF = (SyntaxError, struct.error, KeyError, ValueError, TypeError, IndexError, OverflowError, OSError)

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


def read_raster(content: Content, image_format: str, *, request: Request) -> StoredImage:
    """Read one image of a format that Pillow reads.

    Eight bits are shown as they are; deeper gray (16 bit, 32 bit, float) and color of 16 bits a channel say nothing of
    how they are to be shown. What is transparent is laid on black.

    Args:
        content: the whole file.
        image_format: one of ``PNG JPEG TIFF WEBP BMP``, as `sniff` says.
        request: what is wanted; its limits are checked on the file's header.

    Raises:
        ImageError: an animation, a frame that is not there, a color mode that is not supported.
        ImageTooLargeError: over the pixel limit.
        Exception: whatever Pillow raises on a damaged file; `read_stored` turns it into an ImageError.
    """
    pages: list[TiffPage] = []
    scans = 1
    with content.view() as data:
        if image_format == "WEBP":
            request.check_pixels(*_webp_size(data))  # Pillow allocates the whole canvas when it opens the file
        elif image_format == "JPEG":
            scans = count_scans(data)
            request.check_scans(scans)
        elif image_format == "TIFF":
            pages = full_pages(data)
    frames = len(pages) or 1
    frame = request.choose_frame(frames)

    def open_image() -> ImageFile:
        if not pages:
            return _PLUGINS[image_format](content.open())
        try:
            return _tiff_at(pages[frame], content)
        except UnreadSamplesError as unread:
            raise request.error(_SAMPLES_READ, str(unread), remedy=_TO_SAMPLES_READ) from None

    with open_image() as image:
        animated = 1 if pages else int(getattr(image, "n_frames", 1))
        if animated > 1:
            raise request.error(
                "a still image", f"an animation of {animated} frames", remedy="Export the frame you want as a PNG."
            )
        request.check_pixels(*image.size)
        _check_all_rows_stored(image)
        # Once: asked again, Pillow takes EXIF that it could not read for empty.
        orientation = 1 if isinstance(image, Tiff) else _orientation(image)
        # Before it is loaded: Pillow turns a TIFF upright by itself, and forgets that it did.
        square = _square_size(image, request, orientation=orientation or 1)
        stored = deep_values(image, open_image, request) if image_format in _WITH_DEEP_COLOR else None
        if stored is None:
            with _jpeg_memory(image, request, scans=scans):
                image.load()
            signed = is_signed_byte(image)
            stored = by_parts(image, _signed_bytes) if signed else _stored_values(image, request)
        as_is, inverted = not _is_deep_gray(image), _is_white_zero(image)
        turn = _UPRIGHT.get(orientation or 1)  # Pillow has turned a TIFF
        image.close()  # its memory, before there are copies
        stored = stored if turn is None else turn(stored)
    return StoredImage(
        name=request.name,
        stored=stored if request.measured_only else np.ascontiguousarray(stored),
        format=image_format,
        frame=frame if frames > 1 else None,
        frames=frames,
        as_is=as_is and stored.dtype == np.uint8,
        inverted=inverted,
        square=square,
        # Notes beside the picture that are damaged do not take the picture along: it is shown as it is stored.
        remarks=(*(() if square is None else (RESAMPLED,)), *(() if orientation is not None else (NOT_TURNED,))),
    )


@contextmanager
def _jpeg_memory(image: ImageFile, request: Request, *, scans: int) -> Iterator[None]:
    """Say that a JPEG of several scans may need too much memory: libjpeg is refused it before it has had any.

    It keeps all coefficients, of two bytes, beside the picture; and how it fails reads like damage.
    """
    try:
        yield
    except OSError as error:
        if not isinstance(image, JpegImageFile) or scans < _SEVERAL_SCANS:
            raise
        across, down = (max(layer[place] for layer in image.layer) for place in (1, 2))
        share = sum(layer[1] * layer[2] / (across * down) for layer in image.layer)
        if image.width * image.height * (2 * share + len(image.getbands())) < request.limits.max_memory / 2:
            raise
        raise too_much_memory(request.name, request.limits, certain=False) from error


def _square_size(image: ImageFile, request: Request, *, orientation: int) -> tuple[int, int] | None:
    """Height and width, upright, at which pixels are square (JFIF, PNG pHYs, TIFF and BMP resolutions); or None."""
    if isinstance(image, Tiff):
        across, down = image.tag_v2.get(_TIFF_X_RESOLUTION, 0), image.tag_v2.get(_TIFF_Y_RESOLUTION, 0)
        orientation = image.tag_v2.get(_ORIENTATION, 1)
        width, height = image.size  # upright already
    else:
        # A JPEG that says nothing in its JFIF segment may have a density of its EXIF under "dpi", which scanners of
        # film and cameras fill with anything.
        names = ("jfif_density",) if isinstance(image, JpegImageFile) else ("dpi", "aspect")
        across, down = next((image.info[name] for name in names if name in image.info), (0, 0))
        width, height = image.size if orientation not in _LYING else image.size[::-1]
    # Pixels an inch across, and down: the more, the smaller they are.
    ratio = (float(down), float(across)) if orientation in _LYING else (float(across), float(down))
    if not is_credible(*ratio):
        return None
    return square_size(height, width, ratio=ratio[0] / ratio[1], limits=request.limits)


def _tiff_at(page: TiffPage, content: Content) -> Tiff:
    """A TIFF at one of its pages."""
    if page.number is not None:
        try:
            image = Tiff(content.open())
        except SyntaxError:
            if page.number == 0:
                raise
        else:
            image.seek(page.number)
            return image
    # Pillow follows no SubIFDs, and opens no file whose first page is of a kind that it cannot read, such as a mask.
    with content.view() as data:
        return Tiff(BytesIO(starting_with(data, page)))


def _stored_values(image: Image, request: Request) -> np.ndarray:
    """Gray or RGB values of a loaded image."""
    if _is_deep_gray(image):
        stored = by_parts(image, _deep_gray)
        if isinstance(image, Tiff) and image.mode == "I" and sample_format(image.tag_v2) == _TIFF_UNSIGNED:
            stored = stored.view(np.uint32)  # Pillow keeps 32 unsigned bits in a signed type
        return stored
    if image.mode not in _MODES:
        raise request.error(
            "gray, RGB, palette or CMYK pixels", f"in color mode {image.mode}", remedy="Convert it to RGB."
        )
    if isinstance(image, Tiff) and image.mode == "P":
        colors = np.asarray(image.tag_v2[_TIFF_COLOR_MAP]).reshape(3, -1).T
        if colors.max(initial=0) < 256:  # a writer put 8-bit colors into 16-bit entries as they were
            palette = colors.astype(np.uint8)
            return by_parts(image, lambda part: palette[np.asarray(part)])
    if "transparency" in image.info or image.mode in _MODES_WITH_ALPHA:
        return by_parts(image, _on_black)
    if image.mode in {"L", "RGB"}:
        if request.measured_only:
            shape = (image.height, image.width)
            return np.broadcast_to(np.uint8(0), shape if image.mode == "L" else (*shape, 3))
        return by_parts(image, np.asarray)  # convert() would copy
    return by_parts(image, lambda part: np.asarray(part.convert("L" if part.mode == "1" else "RGB")))


def _signed_bytes(image: Image) -> np.ndarray:
    """(H, W) values of gray whose bytes have a sign."""
    return np.asarray(image).view(np.int8)


def _deep_gray(image: Image) -> np.ndarray:
    """(H, W) values, in this machine's byte order; the shade that stands for transparency is 0."""
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    transparent = image.info.get("transparency")
    return np.where(values == transparent, 0, values) if isinstance(transparent, int) else values


def _is_deep_gray(image: Image) -> bool:
    return image.mode in {"I", "F"} or image.mode.startswith("I;16")


def _is_white_zero(image: Image) -> bool:
    """Whether zero is white in a TIFF of deep or signed gray; Pillow inverts what is neither by itself."""
    return (
        isinstance(image, Tiff)
        and (_is_deep_gray(image) or is_signed_byte(image))
        and image.tag_v2.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO
    )


def _on_black(image: Image) -> np.ndarray:
    """(H, W, 3) color laid on black, rounded."""
    if image.mode == "La":
        image = image.convert("LA")  # the one mode that has no direct way to RGBA
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _orientation(image: Image) -> int | None:
    """How the picture has to be turned (EXIF tag 274): 1, upright, where the file does not say; None if unreadable."""
    if not any(key in image.info for key in ("exif", "Raw profile type exif", "xmp")):
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGED_EXIF:
        return None
    return orientation if isinstance(orientation, int) else None


def _check_all_rows_stored(image: ImageFile) -> None:
    """Raise ValueError if an uncompressed TIFF lists fewer strips than its rows need: Pillow would leave them unset."""
    if not isinstance(image, Tiff) or image.use_load_libtiff:
        return
    planes = len(image.getbands()) if image.tag_v2.get(_TIFF_PLANAR, _TIFF_INTERLEAVED) != _TIFF_INTERLEAVED else 1
    boxes = [tile.extents for tile in image.tile if tile.extents is not None]
    covered = sum((right - left) * (lower - upper) for left, upper, right, lower in boxes)
    if covered < planes * image.width * image.height:
        raise ValueError("strips are missing")


def _webp_size(data: bytes | mmap) -> tuple[int, int]:
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
