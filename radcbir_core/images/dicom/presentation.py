"""How DICOM says that its stored values are to be shown.

Owns the reading of modality, VOI, padding, inversion and palette from a header (PS3.3 C.7.6.3, C.7.6.16, C.7.9, C.11).
The arithmetic on gray values is `grayscale`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from radcbir_core.images.decoded_image import Window
from radcbir_core.images.decoding.decoding_request import COPY_AGAIN, Request
from radcbir_core.images.dicom.numbers import is_no_number, numbers
from radcbir_core.images.display.grayscale import LookupTable, Rescale, full_range
from radcbir_core.images.display.square_pixels import is_credible
from radcbir_core.images.stored_image import StoredImage

NO_NUMBER = "{keyword} is no number, and counts as not there."
NO_PIXELS = "{keyword} means pixels of a shape that cannot be, and counts as not there."
PIXEL_SHAPE_ELEMENTS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
_COLORS = ("Red", "Green", "Blue")
PALETTE_ELEMENTS = tuple(
    f"{prefix}{color}PaletteColorLookupTable{part}"
    for color in _COLORS
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
# Defined terms of Modality LUT Type and Rescale Type (C.11.1.1.2) but for US, unspecified. Whatever else is written
# there may be about a patient.
_UNITS = frozenset({"OD", "HU", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
_FUNCTIONS = {"LINEAR": "linear", "LINEAR_EXACT": "linear exact", "SIGMOID": "sigmoid"}


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a DICOM header says of one frame.

    Attributes:
        header: the header.
        frame: the frame, counted from 0.
        byte_order: of the words in it that pydicom leaves as bytes, ``"<"`` or ``">"``.
        remarks: what was found to be unusable; grows as the header is read.
    """

    header: Dataset
    frame: int
    byte_order: str
    remarks: list[str] = field(default_factory=list)

    @property
    def signed(self) -> bool:
        """Whether stored values are signed."""
        return int(self.header.get("PixelRepresentation", 0)) == 1

    @property
    def bits_stored(self) -> int:
        """How many bits of a stored value count."""
        return int(self.header.get("BitsStored", self.header.BitsAllocated))

    def number(self, group: Dataset, keyword: str, *, several: bool = False) -> float | None:
        """The number that an element holds, or the first where it may hold several; None where there is none.

        What is no number is remarked.
        """
        values = numbers(group, keyword)
        number = values[0] if values and (several or len(values) == 1) else None
        if values and number is None:
            self.remark(NO_NUMBER.format(keyword=keyword))
        return number

    def remark(self, text: str) -> None:
        """Note something once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def group(self, macro: str) -> Dataset:
        """Where the elements of a functional group are: with the frame, else shared, else at the top (C.7.6.16)."""
        per_frame = self.header.get("PerFrameFunctionalGroupsSequence") or []
        shared = self.header.get("SharedFunctionalGroupsSequence") or []
        for groups in (per_frame[self.frame : self.frame + 1], shared[:1]):
            for item in groups:
                if item.get(macro):
                    elements: Dataset = item[macro].value[0]
                    return elements
        return self.header


def with_presentation(image: StoredImage, context: FrameHeader, *, photometric: str, request: Request) -> StoredImage:
    """Stored gray values with what the header says of them: modality, unit, VOI, padding, inversion (PS3.4 N.2).

    The VOI is the first VOI LUT; else the first window; else, for eight bits or fewer that nothing rescales, all that
    the type holds; else none. Low values are white with MONOCHROME1 or Presentation LUT Shape INVERSE.

    Args:
        image: with (H, W) stored values.
        context: the frame's header.
        photometric: ``MONOCHROME1`` or ``MONOCHROME2``.
        request: for messages.

    Raises:
        ImageError: a rescale slope of 0.
    """
    modality = _modality(context, request)
    voi = _voi(context)
    if voi is None and image.stored.dtype.kind == "u" and context.bits_stored <= 8 and modality == Rescale():
        voi = full_range(0.0, float(2**context.bits_stored - 1))
    return replace(
        image,
        modality=modality,
        unit=_unit(context),
        voi=voi,
        padding=_padding(context.header, image.stored.dtype),
        # INVERSE comes with MONOCHROME1 and says the same again (C.11.6.1.2), so together they invert once.
        remarks=tuple(context.remarks),
        inverted=photometric == "MONOCHROME1" or str(context.header.get("PresentationLUTShape", "")) == "INVERSE",
    )


def pixel_ratio(context: FrameHeader) -> float:
    """Height of a pixel by its width; 1 where the header says nothing of it that can be.

    Spacings and the aspect ratio alike name the vertical value first (10.7.1.3, C.7.6.3.1.7). The spacing in the
    patient goes before that at the detector, and both before the ratio, which is for images that have neither.
    """
    measures = context.group("PixelMeasuresSequence")
    for keyword in PIXEL_SHAPE_ELEMENTS:
        header = measures if keyword == "PixelSpacing" else context.header
        values = numbers(header, keyword)
        if not values:
            continue
        if is_no_number(header, keyword, count=2):
            context.remark(NO_NUMBER.format(keyword=keyword))
            continue
        height, width = (value or 0.0 for value in values)
        if is_credible(height, width):
            return height / width
        context.remark(NO_PIXELS.format(keyword=keyword))
    return 1.0


def palette_colors(places: np.ndarray, context: FrameHeader) -> np.ndarray:
    """(H, W, 3) uint8 colors of (H, W) places in the palette (C.7.6.3.1.5, C.7.9)."""
    header = context.header
    count, first, bits = (int(number) for number in header.RedPaletteColorLookupTableDescriptor)
    count, first = _entry_count(count), _first_input(first, signed=context.signed)
    if "RedPaletteColorLookupTableData" in header:
        tables = [header[f"{color}PaletteColorLookupTableData"].value for color in _COLORS]
        palette = np.stack([_entries(table, count, byte_order=context.byte_order) for table in tables], axis=1)
    elif bits == 8 and count > 256:
        raise ValueError("pydicom cannot expand a segmented palette of that many 8-bit colors")
    else:
        palette = apply_color_lut(np.arange(first, first + count), header)[:, :3]
    # Tables of 16 bits hold the color in their upper byte, unless a writer put 8-bit colors into them as they were.
    colors = (palette if palette.max() < 256 else palette >> 8).astype(np.uint8)
    chosen: np.ndarray = colors[np.clip(places.astype(np.int64) - first, 0, count - 1)]
    return chosen


def _modality(context: FrameHeader, request: Request) -> Rescale | LookupTable:
    """The modality LUT, or the rescale, or the identity (C.11.1)."""
    tables = context.header.get("ModalityLUTSequence")
    if tables:
        return _table(tables[0], byte_order=context.byte_order, signed=context.signed)
    group = context.group("PixelValueTransformationSequence")
    slope, intercept = (context.number(group, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0:
        raise request.error("a rescale slope other than 0", "RescaleSlope 0", remedy=COPY_AGAIN)
    return Rescale(1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def _unit(context: FrameHeader) -> str:
    """What the values after the modality LUT or rescale are measured in; empty where the header names no such unit.

    Rescale Type of a CT image is left out only where it is HU (C.8.2.1).
    """
    tables = context.header.get("ModalityLUTSequence")
    if tables:
        named = tables[0].get("ModalityLUTType")
    else:
        group = context.group("PixelValueTransformationSequence")
        if any(is_no_number(group, keyword) for keyword in ("RescaleSlope", "RescaleIntercept")):
            return ""  # values that were not rescaled as the header meant are in no unit
        named = group.get("RescaleType")
        if not named and context.header.get("Modality") == "CT" and numbers(group, "RescaleIntercept"):
            named = "HU"
    return str(named) if str(named) in _UNITS else ""


def _voi(context: FrameHeader) -> Window | LookupTable | None:
    """The first VOI LUT, or the first window, of the frame, or None (C.11.2).

    A window that means nothing (no number, a width of 0, a linear width under 1) counts as none, and the record then
    says ``full range``.
    """
    group = context.group("FrameVOILUTSequence")
    tables = group.get("VOILUTSequence")
    if tables and "LUTDescriptor" in tables[0] and "LUTData" in tables[0]:
        # The table's inputs may be negative if the modality's outputs can be (C.11.2.1.1).
        intercept = context.number(context.group("PixelValueTransformationSequence"), "RescaleIntercept")
        return _table(tables[0], byte_order=context.byte_order, signed=context.signed or (intercept or 0) < 0)
    center, width = (context.number(group, keyword, several=True) for keyword in ("WindowCenter", "WindowWidth"))
    function = _FUNCTIONS.get(str(group.get("VOILUTFunction") or "LINEAR").upper())
    if center is None or width is None or function is None:
        return None
    if width <= 0 or (function == "linear" and width < 1):
        return None
    return Window(center, width, "header", function)


def _padding(header: Dataset, kind: np.dtype[Any]) -> tuple[float, float] | None:
    """First and last stored value that are padding (C.7.5.1.1.2), or None.

    Writers give the value as unsigned for signed pixels, so it is read as the bit pattern that it stands for.
    """
    value, limit = (_stored_number(header, keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if value is None or kind.kind not in "iu":
        return None
    ends = [_as_stored(number, kind) for number in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(number: int, kind: np.dtype[Any]) -> float:
    """The stored value whose bit pattern is that of `number`.

    Example:
        >>> _as_stored(63536, np.dtype("int16")), _as_stored(-2000, np.dtype("int16"))
        (-2000.0, -2000.0)
    """
    bits = kind.itemsize * 8
    pattern = number % 2**bits
    return float(pattern - 2**bits if kind.kind == "i" and pattern >= 2 ** (bits - 1) else pattern)


def _stored_number(header: Dataset, keyword: str) -> int | None:
    """The value of an element that is of the pixels' own type (US or SS), or None where it holds anything else."""
    value: Any = header.get(keyword)
    return value if isinstance(value, int) else None


def _table(item: Dataset, *, byte_order: str, signed: bool) -> LookupTable:
    """A modality or VOI LUT from its sequence item (C.11.1.1)."""
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = _entries(item.LUTData, _entry_count(count), byte_order=byte_order)
    return LookupTable(_first_input(first, signed=signed), bits, entries)


def _entry_count(count: int) -> int:
    """How many entries a descriptor means: 0 stands for 65,536, and a writer may have taken the number for signed."""
    return count % 65536 or 65536


def _first_input(first: int, *, signed: bool) -> int:
    """The first input of a table; written as unsigned it still means a negative number where inputs are signed."""
    return first - 65536 if signed and first >= 32768 else first


def _entries(data: Any, count: int, *, byte_order: str) -> np.ndarray:
    """(count,) uint16: the entries of a table, which pydicom gives as bytes or as numbers; 8-bit ones may be packed.

    Example:
        >>> _entries(bytes([1, 2, 3, 0]), 3, byte_order="<").tolist(), _entries([0x0201, 3], 3, byte_order="<").tolist()
        ([1, 2, 3], [1, 2, 3])
    """
    if isinstance(data, bytes):
        packed = len(data) < 2 * count
        entries = np.frombuffer(data[: count if packed else 2 * count], np.uint8 if packed else f"{byte_order}u2")
    else:
        entries = np.array([data] if isinstance(data, int) else data, dtype=np.int64).astype("<u2")
        if len(entries) == (count + 1) // 2 < count:
            entries = entries.view(np.uint8)
    if len(entries) < count:
        raise ValueError("a look-up table is shorter than it says")
    return entries[:count].astype(np.uint16)
