"""TIFFs whose samples Pillow does not know, or reads in the wrong byte order.

Owns the difference between what a TIFF says of its samples and what Pillow's table of layouts has: gray is opened as
the layout whose bytes are the same, and its tags stay those of the file. It gives no values: `raster` and `deep_color`
do.
"""

from __future__ import annotations

from collections import ChainMap
from typing import IO, Any, cast

from PIL.TiffImagePlugin import TiffImageFile

_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _EXTRA, _FORMAT = 258, 262, 277, 284, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_INTERLEAVED, _BY_PLANE = 1, 2
_ALPHA = 2
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_KINDS = {_UNSIGNED: "unsigned", _SIGNED: "signed", _FLOAT: "floating-point"}
# libtiff hands samples over in this machine's byte order. Pillow knows that of unsigned 16 bits and of color only, and
# would turn these once more.
_AS_LIBTIFF_GIVES_THEM = {
    **{"I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS"},
    **{"F;32F": "F;32NF", "F;32BF": "F;32NF"},
}


class UnreadSamplesError(SyntaxError):
    """A TIFF that may be whole, of samples that are not read; its message says of which kind they are."""


class Tiff(TiffImageFile):
    """A TIFF as Pillow opens it, of these kinds of gray too: see the module."""

    def _open(self) -> None:
        file = cast(IO[bytes], self.fp)
        head = file.read(4)
        file.seek(0)
        if head == b"MM\0+":  # Pillow looks for the number 43 where little endian has it
            raise UnreadSamplesError("a BigTIFF in big endian")
        super()._open()

    def _setup(self) -> None:
        told = self.tag_v2
        bits, kind = sample_bits(told), sample_format(told)
        self.tag_v2 = cast(Any, _Told(told, _as_known(told, bits, kind), as_little_endian=bits == (12,)))
        try:
            super()._setup()
        except SyntaxError as error:
            raise UnreadSamplesError(_described(bits, kind, told.get(_PHOTOMETRIC))) from error
        finally:
            self.tag_v2 = told
        if self.use_load_libtiff:
            self.tile = [
                tile._replace(args=(_AS_LIBTIFF_GIVES_THEM.get(str(tile.args[0]), tile.args[0]), *tile.args[1:]))
                for tile in self.tile
                if isinstance(tile.args, tuple)
            ]


def sample_bits(tags: Any) -> tuple[int, ...]:
    """The bits of each sample of a pixel."""
    bits = tuple(int(number) for number in tags.get(_BITS, (1,)))
    return bits * int(tags.get(_SAMPLES, 1)) if len(bits) == 1 and int(tags.get(_SAMPLES, 1)) < 10 else bits


def sample_format(tags: Any) -> int:
    """What the samples are: 1 unsigned, 2 signed, 3 floating point (TIFF 6.0, section 19); the first one's, if several.

    Undefined ones are read as unsigned, as the section says.
    """
    kind = next(iter(tags.get(_FORMAT, ())), _UNSIGNED)
    return _UNSIGNED if kind == _UNDEFINED else int(kind)


def is_signed_byte(image: object) -> bool:
    """Whether it is gray of eight bits with a sign, which Pillow keeps as bytes without."""
    return isinstance(image, Tiff) and image.mode == "L" and sample_format(image.tag_v2) == _SIGNED


def is_deep_gray_with_extra(image: object) -> bool:
    """Whether it is gray of 16 bits with a second sample, such as alpha."""
    return isinstance(image, Tiff) and _has_extra(image.tag_v2, sample_bits(image.tag_v2))


def _has_extra(tags: Any, bits: tuple[int, ...]) -> bool:
    return (
        bits == (16, 16)
        and tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) in {_WHITE_IS_ZERO, _BLACK_IS_ZERO}
        and sample_format(tags) == _UNSIGNED
    )


class _Told(ChainMap[int, Any]):
    """Tags, some of which are told as others."""

    def __init__(self, tags: Any, others: dict[int, Any], *, as_little_endian: bool) -> None:
        super().__init__(others, tags)
        self.prefix = b"II" if as_little_endian else tags.prefix  # packed bits have no byte order
        self.offset = tags.offset


def _as_known(tags: Any, bits: tuple[int, ...], kind: int) -> dict[int, Any]:
    """The tags of a layout that Pillow knows and whose bytes are the same; none where it knows that of the file."""
    if tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) not in {_WHITE_IS_ZERO, _BLACK_IS_ZERO}:
        return {}
    if _has_extra(tags, bits):
        if tags.get(_PLANAR) == _BY_PLANE:  # two bands; their values are read by tiff_planes
            return {_PHOTOMETRIC: _BLACK_IS_ZERO, _BITS: (8, 8), _FORMAT: (_UNSIGNED,), _EXTRA: (_ALPHA,)}
        # Two bytes of gray and two of the other are four bytes to Pillow.
        return {_PHOTOMETRIC: _RGB, _BITS: (8, 8, 8, 8), _FORMAT: (_UNSIGNED,), _EXTRA: (_ALPHA,), _SAMPLES: 4}
    if len(bits) != 1:
        return {}
    known: dict[int, Any] = {_FORMAT: (kind,), _PLANAR: _INTERLEAVED}  # planes of one sample are the samples
    if bits[0] > 8 or kind == _SIGNED:
        known[_PHOTOMETRIC] = _BLACK_IS_ZERO
    if bits == (32,) and kind == _UNSIGNED:
        known[_FORMAT] = (_SIGNED,)
    return known


def _described(bits: tuple[int, ...], kind: int, photometric: object) -> str:
    several = f"{len(bits)} " if len(bits) > 1 else ""
    sizes = " and ".join(map(str, dict.fromkeys(bits)))
    return f"a TIFF of {several}{_KINDS.get(kind, 'other')} samples of {sizes[:40]} bits, photometric {photometric}"
