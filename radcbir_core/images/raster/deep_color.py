"""Color of 16 bits a channel in PNG and TIFF, all bits of it.

Owns the way around Pillow, which has no mode for such color and keeps one byte of each two: an image is unpacked twice,
as big endian for the one byte and as little endian for the other. Gray with alpha of 16 bits is unpacked byte by byte.
It knows no files and shows nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, Literal, cast

import numpy as np
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.parts import boxes, by_parts
from radcbir_core.images.raster.tiff_planes import planes_of
from radcbir_core.images.raster.tiff_samples import is_deep_gray_with_extra, sample_bits

_LARGEST = 65535
# What Pillow calls the layouts of such samples, without their byte order, and how the same bytes are unpacked.
# Colors that are multiplied with their alpha already lie on black as they are.
_LAYOUTS = {"RGB": "RGB", "RGBA": "RGBA", "RGBX": "RGBX", "RGBa": "RGBX", "CMYK": "CMYK"}
_WITH_FOURTH = frozenset({"RGBA", "CMYK"})
_TIFF_PLANAR = 284
_TIFF_BY_PLANE = 2
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO, _TIFF_RGB, _TIFF_CMYK = 262, 0, 2, 5
_TIFF_EXTRA, _TIFF_ALPHA = 338, 2  # of the extra samples, the kind that colors are not multiplied with


def deep_values(image: ImageFile, open_image: Callable[[], ImageFile], request: Request) -> np.ndarray | None:
    """The values of color, or of gray with transparency, of 16 bits a channel.

    Args:
        image: not loaded yet, and left so where this gives None.
        open_image: opens it anew, each time it is called.
        request: for messages.

    Returns:
        (H, W, 3) RGB or (H, W) gray, uint16; what is transparent lies on black. None for every other image.

    Raises:
        ImageError: planes that are neither RGB nor CMYK.
    """
    layout, _, order = _raw_mode(image).partition(";16")
    if isinstance(image, PngImageFile) and layout == "LA" and order:
        # Two bytes of gray and two of alpha are four bytes to Pillow.
        with open_image() as again:
            return by_parts(_unpacked(again, "RGBA"), lambda part: _gray_on_black(*_gray_and_alpha(part, "big")))
    if isinstance(image, TiffImageFile) and _is_deep_by_plane(image):
        return _planes(image, request)
    if isinstance(image, TiffImageFile) and is_deep_gray_with_extra(image):
        return _gray_with_extra(image, open_image)
    if layout not in _LAYOUTS or not order:
        return None
    transparent = image.info.get("transparency")
    # libtiff gives samples in this machine's order, and only Pillow's plain names say so for all layouts.
    high, low = ("L", "B") if order == "L" or (order == "N" and sys.byteorder == "little") else ("B", "L")
    width, height = image.size
    color = np.zeros((height, width, 3), np.uint16)
    fourth = np.zeros((height, width, 1), np.uint16) if layout in _WITH_FOURTH else None
    for name, shift in ((high, 8), (low, 0)):
        with open_image() as again:
            unpacked = _unpacked(again, f"{_LAYOUTS[layout]};16{name}")
            for left, top, right, bottom in boxes(width, height):
                samples = np.asarray(unpacked.crop((left, top, right, bottom))).astype(np.uint16) << shift
                color[top:bottom, left:right] |= samples[..., :3]
                if fourth is not None:
                    fourth[top:bottom, left:right] |= samples[..., 3:]
            again.close()
    for left, top, right, bottom in boxes(width, height):
        part = color[top:bottom, left:right]
        if fourth is not None:
            alpha = fourth[top:bottom, left:right]
            part[:] = _on_black(_LARGEST - part, _LARGEST - alpha) if layout == "CMYK" else _on_black(part, alpha)
        elif isinstance(transparent, tuple):
            part[(part == np.array(transparent)).all(axis=-1)] = 0
    return color


def _is_deep_by_plane(image: TiffImageFile) -> bool:
    """Whether a TIFF has samples of more than eight bits, each kind in a plane of its own; Pillow misreads them."""
    bits = sample_bits(image.tag_v2)
    return image.tag_v2.get(_TIFF_PLANAR) == _TIFF_BY_PLANE and len(bits) > 1 and max(bits) > 8


def _planes(image: TiffImageFile, request: Request) -> np.ndarray:
    """RGB or CMYK whose samples are in planes, on black: of 16 bits, Pillow opens no other."""
    tags = image.tag_v2
    file = cast(IO[bytes], image.fp)  # open, as the image is not loaded yet
    file.seek(0)
    samples = planes_of(file.read(), dict(tags), big_endian=tags.prefix == b"MM")
    if is_deep_gray_with_extra(image):
        return _laid(samples[..., :1], samples[..., 1:2], tags)
    colors = {_TIFF_RGB: 3, _TIFF_CMYK: 4}.get(int(tags.get(_TIFF_PHOTOMETRIC, 0)), 0)
    if not 0 < colors <= samples.shape[-1]:
        raise request.damaged("TIFF")
    if colors > 3:
        return _on_black(_LARGEST - samples[..., :3], _LARGEST - samples[..., 3:4])
    extra = tags.get(_TIFF_EXTRA, ())
    if samples.shape[-1] > colors and extra and extra[0] == _TIFF_ALPHA:
        return _on_black(samples[..., :3], samples[..., 3:4])
    return samples[..., :3]


def _unpacked(image: ImageFile, raw_mode: str) -> ImageFile:
    """The image with its samples unpacked in another way."""
    image._mode = raw_mode.partition(";")[0]
    image.tile = [
        tile._replace(args=raw_mode if isinstance(tile.args, str) else (raw_mode, *(tile.args or ())[1:]))
        for tile in image.tile
    ]
    image.load()
    return image


def _raw_mode(image: ImageFile) -> str:
    """How Pillow would unpack the samples."""
    arguments = image.tile[0].args if image.tile else ""
    name = arguments if isinstance(arguments, str) else next(iter(arguments or ("",)))
    return str(name)


def _gray_with_extra(image: TiffImageFile, open_image: Callable[[], ImageFile]) -> np.ndarray:
    """(H, W) gray, on black, of pixels of two bytes of gray and two of another sample."""
    big = image.tag_v2.prefix == b"MM"
    order: Literal["big", "little"] = sys.byteorder if image.use_load_libtiff else "big" if big else "little"
    with open_image() as again:
        again.load()
        return by_parts(again, lambda part: _laid(*_gray_and_alpha(part, order), image.tag_v2))


def _laid(gray: np.ndarray, other: np.ndarray, tags: Mapping[int, Any]) -> np.ndarray:
    """(H, W) gray of a TIFF on black, where 0 is black; what the other sample is, its tags say."""
    gray = _LARGEST - gray if tags.get(_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO) == _TIFF_WHITE_IS_ZERO else gray
    extra = tags.get(_TIFF_EXTRA, ())
    return _gray_on_black(gray, other) if extra and extra[0] == _TIFF_ALPHA else gray[..., 0]


def _gray_and_alpha(image: Image, order: Literal["big", "little"]) -> tuple[np.ndarray, np.ndarray]:
    """Twice (H, W, 1) of an image whose four bytes are two of gray and two of alpha."""
    four = np.asarray(image).view(np.dtype(np.uint16).newbyteorder(order)).astype(np.uint16)
    return four[..., :1], four[..., 1:]


def _gray_on_black(gray: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W) gray laid on black."""
    return _on_black(gray, alpha)[..., 0]


def _on_black(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W, C) color laid on black, rounded; alpha is (H, W, 1)."""
    laid = (color.astype(np.uint32) * alpha + _LARGEST // 2) // _LARGEST
    values: np.ndarray = laid.astype(np.uint16)
    return values
