"""What a header says of text in pixels, and that what it does not say is no "no"."""

from __future__ import annotations

import pytest

from radcbir_core.images.dicom.pixel_annotation import facts_of

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize(
    ("header", "facts"),
    [
        ({}, ("not said", "not said", "not said")),
        ({"BurnedInAnnotation": "YES"}, ("YES", "not said", "not said")),
        ({"BurnedInAnnotation": " no", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, ("NO", "not said", "NO")),
        ({"BurnedInAnnotation": "MAYBE", "RecognizableVisualFeatures": "YES"}, ("not said", "YES", "not said")),
        ({"SOPClassUID": CAPTURE}, ("not said", "not said", "YES")),
        ({"SOPClassUID": f"{CAPTURE}.4", "ConversionType": "DF"}, ("not said", "not said", "DF")),
        ({"SOPClassUID": CAPTURE, "ConversionType": "DOE^JANE"}, ("not said", "not said", "YES")),
        ({"SOPClassUID": f"{CAPTURE}7", "ConversionType": "DF"}, ("not said", "not said", "NO")),
    ],
)  # fmt: skip
def test_facts(header, facts) -> None:
    assert tuple(facts_of(header).values()) == facts
