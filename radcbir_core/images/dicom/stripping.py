"""A DICOM object without anything that is not needed: what it takes to show its pictures, and what the caller gives.

Owns the choice of elements that stay. It is a list of what is kept, never of what is removed: elements that show the
pictures and place them in space, as numbers, tables and the standard's own terms. Text that anybody may have written,
private elements, overlays, everything that identifies, and whatever the list does not name is gone; in sequences too.
Identifiers and terms that the caller has looked at are put in from outside.

Attributes that say that an object was de-identified: PS3.3 C.12.1.1.1 (0012,0062) and (0012,0063).
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Final

from pydicom import dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from radcbir_core.errors import ImageError
from radcbir_core.images.decoded_image import Limits
from radcbir_core.images.decoding.decoding_request import Request
from radcbir_core.images.decoding.quiet import quiet
from radcbir_core.images.dicom.numbers import numbers
from radcbir_core.images.dicom.reading import SHOWING_ELEMENTS, inflated, transfer_syntax_of
from radcbir_core.images.file_types import HEAD_BYTES, sniff

METHOD: Final = "RadCBIR: only what shows the pictures is kept"

_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PLACE: Final = ("ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SliceThickness")
_IN_SEQUENCES: Final = (
    "LUTDescriptor",
    "LUTData",
    "ModalityLUTType",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
)
_KEPT: Final = frozenset({*SHOWING_ELEMENTS, *_PIXELS, *_PLACE, *_IN_SEQUENCES}) - {"SOPClassUID", "Modality"}
_NUMBERS_IN_TEXT: Final = frozenset({"DS", "IS"})
_TEXTS: Final[Mapping[str, frozenset[str]]] = {
    # Defined terms of PS3.3 C.7.6.3.1.2, C.11.1, C.11.2.1.3 and C.11.6.1.2.
    "PhotometricInterpretation": frozenset(
        {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420"}
        | {"YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT", "XYB", "HSV", "ARGB", "CMYK"}
    ),
    "RescaleType": frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}),
    "ModalityLUTType": frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}),
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
}


def stripped(data: bytes, values: Mapping[str, str], *, name: str, limits: Limits) -> bytes:
    """A DICOM file with the same pictures, and of all else only what is listed here or given.

    Args:
        data: The file.
        values: Keyword → text of elements that are put in, such as pseudonyms; empty ones are left out.
        name: What messages call it.
        limits: What it may cost.

    Returns:
        A file of PS3.10 in the same transfer syntax; one that was deflated is inflated.

    Raises:
        ImageError: It is no DICOM, or damaged.
    """
    request = Request(name, None, limits)
    if sniff(data[:HEAD_BYTES]) != "DICOM":
        raise request.error("a DICOM file", "something else", remedy="Leave it out.")
    try:
        with quiet():
            file, _, deflated = inflated(BytesIO(data), size=len(data), request=request)
            whole = dcmread(file, force=True, specific_tags=[*_KEPT, "SOPClassUID"])
            kept = _kept(whole)
            sop_class = str(whole.get("SOPClassUID") or whole.file_meta.get("MediaStorageSOPClassUID") or "")
            if _is_uid(sop_class):
                kept.SOPClassUID = UID(sop_class)
            for keyword, text in values.items():
                if text:
                    setattr(kept, keyword, text)
            kept.PatientIdentityRemoved = "YES"
            kept.DeidentificationMethod = METHOD
            kept.file_meta = FileMetaDataset()
            kept.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if deflated else transfer_syntax_of(whole)
            kept.file_meta.MediaStorageSOPClassUID = kept.get("SOPClassUID", UID("1.2.840.10008.5.1.4.1.1.7"))
            kept.file_meta.MediaStorageSOPInstanceUID = kept.get("SOPInstanceUID", UID("2.25.0"))
            written = BytesIO()
            dcmwrite(written, kept, enforce_file_format=True)
            return written.getvalue()
    except ImageError:
        raise
    except Exception as error:
        # As in reading.py: pydicom raises whatever comes up on damaged data, and its text may quote the header.
        raise request.damaged("DICOM") from error


def _kept(source: Dataset) -> Dataset:
    """The elements of a data set that stay, and of its sequences' items as well."""
    result = Dataset()
    for tag in source.keys():  # noqa: SIM118 - going through a data set itself decodes all of its elements
        keyword = keyword_for_tag(tag)
        if keyword not in _KEPT:
            continue
        if dictionary_VR(tag) in _NUMBERS_IN_TEXT:
            values = numbers(source, keyword)
            if values and None not in values:
                result.add(source[tag])
            continue
        element = source[tag]
        if element.VR == "SQ":
            result.add_new(tag, "SQ", Sequence([_kept(item) for item in element.value]))
        elif keyword not in _TEXTS or str(element.value).strip() in _TEXTS[keyword]:
            result.add(element)
    return result


def _is_uid(text: str) -> bool:
    return bool(text) and UID(text).is_valid
