"""What a DICOM header says of text and faces in its pixels.

Owns which elements say it, and how that is put into words. What is not said is said to be so: it is no "no".

- Burned In Annotation (0028,0301): "Indicates whether or not image contains sufficient burned in annotation to identify
  the patient and date the image was acquired. Enumerated Values: YES, NO. If this Attribute is absent, then the image
  may or may not contain burned in annotation." (PS3.3 C.7.6.1, table C.7-9)
- Recognizable Visual Features (0028,0302): the same of what a patient can be recognized by, as a face (there).
- SOP Class UID (0008,0016) and Conversion Type (0008,0064): secondary captures, such as screens and digitized films
  (PS3.4 B.5; PS3.3 C.8.6.1), whose pixels often show what stood around the picture.

Overlays (60xx,3000) and graphic annotations of presentation states are not in the pixels, and are not drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

BURNED_IN: Final = "BurnedInAnnotation"
ELEMENTS: Final = (BURNED_IN, "RecognizableVisualFeatures", "ConversionType", "SOPClassUID")
"""The elements that are read for it."""

COLUMNS: Final = ("burned_in_annotation", "recognizable_visual_features", "secondary_capture")
NOT_SAID: Final = "not said"

_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_CONVERSIONS: Final = frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"})


def term(header: Mapping[str, Any], keyword: str) -> str:
    """The value of one of the elements, where it is a term of the standard; else "".

    Args:
        header: Something with ``get(keyword)``.
        keyword: Of :data:`ELEMENTS`.

    Example:
        >>> term({"BurnedInAnnotation": "yes "}, "BurnedInAnnotation")
        'YES'
        >>> term({"ConversionType": "MILLER"}, "ConversionType")
        ''
    """
    text = str(header.get(keyword) or "").strip().upper()
    return text if text in (_CONVERSIONS if keyword == "ConversionType" else {"YES", "NO"}) else ""


def facts_of(header: Mapping[str, Any]) -> dict[str, str]:
    """Each of :data:`COLUMNS` → what the header says.

    The first two are ``YES``, ``NO`` or ``not said``; ``secondary_capture`` is how it was converted, ``YES`` where that
    is not said, ``NO`` for other objects, and ``not said`` where no class is.

    Args:
        header: Something with ``get(keyword)``.

    Example:
        >>> facts_of({"BurnedInAnnotation": "NO", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ConversionType": "WSD"})
        {'burned_in_annotation': 'NO', 'recognizable_visual_features': 'not said', 'secondary_capture': 'WSD'}
    """
    sop_class = str(header.get("SOPClassUID") or "").strip()
    is_capture = sop_class == _CAPTURE or sop_class.startswith(f"{_CAPTURE}.")
    captured = (term(header, "ConversionType") or "YES") if is_capture else "NO" if sop_class else NOT_SAID
    burned, recognizable = (term(header, keyword) or NOT_SAID for keyword in ELEMENTS[:2])
    return dict(zip(COLUMNS, (burned, recognizable, captured), strict=True))
