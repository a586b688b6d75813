"""The words of the slides: shares as people say them, what agrees with a case, and what was left out of its hits.

Owns these words. No jargon, no ids, no digits after the point where none are needed. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from pages.parts.frame.palette import Agreement
from pages.parts.images.gallery import Labels, agreement
from radcbir_core.search.language.label_sentences import image_in_words

_LEFT_OUT: Final = {
    "duplicate": "copies of the image",
    "near-duplicate": "near-copies of the image",
    "series": "images of the same series",
    "study": "images of the same examination",
    "patient": "images of the same patient",
    "dataset": "images of the same source",
}


def of_hundred(share: float) -> str:
    """A share as people say it; what is more than nothing is never none, what is not all never all.

    >>> of_hundred(0.843), of_hundred(0.002), of_hundred(0.9967), of_hundred(1.0), of_hundred(float("nan"))
    ('84 of 100', 'under 1 of 100', 'over 99 of 100', '100 of 100', 'not known')
    """
    if math.isnan(share):
        return "not known"
    return f"{hundredths(share)} of 100"


def hundredths(share: float) -> str:
    """The number of :func:`of_hundred` alone.

    >>> hundredths(0.843), hundredths(0.0), hundredths(0.996)
    ('84', '0', 'over 99')
    """
    if 0 < share < 0.005:
        return "under 1"
    return "over 99" if 0.995 <= share < 1 else f"{100 * share:.0f}"


def tenths(share: float) -> str:
    """How many of ten, with one digit; what is not all is never ten.

    >>> tenths(0.833), tenths(0.9957), tenths(1.0), tenths(0.0002)
    ('8.3', 'over 9.9', '10', 'under 0.1')
    """
    if 0 < share < 0.005:
        return "under 0.1"
    return "over 9.9" if 0.995 <= share < 1 else "10" if share >= 1 else f"{10 * share:.1f}"


def confidence(low: float, high: float) -> str:
    """A 95 % interval in a few words; that there is none where there is none.

    >>> confidence(0.816, 0.867), confidence(float("nan"), float("nan"))
    ('95 % confidence: 82 to 87', 'too few patients to say how sure that is')
    """
    if math.isnan(low) or math.isnan(high):
        return "too few patients to say how sure that is"
    return f"95 % confidence: {100 * low:.0f} to {100 * high:.0f}"


def kind_of(labels: Labels) -> str:
    """What kind of image it is, beginning with a capital.

    >>> kind_of(Labels("XR", "chest", ())), kind_of(Labels("", "", ()))
    ('Chest radiograph', 'Image')
    """
    said = image_in_words(labels.modality, labels.anatomy)
    return said[:1].upper() + said[1:]


def finding_of(labels: Labels, *, most: int = 60) -> str:
    """What an image shows; findings that do not fit are counted, and what alone does not fit is cut.

    Args:
        labels: Of the image.
        most: So many letters fit.

    >>> finding_of(Labels("XR", "chest", ("edema", "effusion"))), finding_of(Labels("XR", "chest", ()))
    ('edema, effusion', 'not labeled')
    >>> finding_of(Labels("XR", "chest", ("edema", "effusion", "mass")), most=16)
    'edema and 2 more'
    >>> finding_of(Labels("XR", "chest", ("x" * 9,)), most=4)
    'xxx…'
    """
    for number in range(len(labels.pathologies), 0, -1):
        rest = len(labels.pathologies) - number
        said = ", ".join(labels.pathologies[:number]) + (f" and {rest} more" if rest else "")
        if len(said) <= most:
            return said
    return f"{labels.pathologies[0][: most - 1]}…" if labels.pathologies else "not labeled"


def agreeing(case: Labels, hit: Labels, *, by_finding: bool) -> tuple[Agreement, str]:
    """Whether a hit shows the same as a case, and in words; as in the figures, only in the same body part.

    Args:
        case: The labels of the case.
        hit: Those of the hit.
        by_finding: Whether the collection knows findings; else body parts are compared.

    >>> lung = Labels("XR", "chest", ("edema",))
    >>> agreeing(lung, Labels("XR", "chest", ("edema",)), by_finding=True)
    ('same', 'same finding')
    >>> agreeing(lung, Labels("CT", "chest", ("edema",)), by_finding=True)
    ('other', 'other kind of image')
    >>> agreeing(lung, Labels("XR", "chest", ()), by_finding=False)
    ('same', 'same body part')
    """
    if where := elsewhere(case, hit):
        return "other", where
    if by_finding:
        kind = agreement(case.pathologies, hit.pathologies)
        words = {"same": "same finding", "shared": "in part the same", "other": "other finding", "unknown": "not known"}
        return kind, words[kind]
    if case.anatomy and hit.anatomy:
        return "same", "same body part"
    return ("same", "same kind of image") if case.modality and hit.modality else ("unknown", "not known")


def elsewhere(case: Labels, hit: Labels) -> str:
    """Whether a hit is of another kind or body part than a case, in words; "" where it is not, or not known to be.

    >>> hand = Labels("XR", "hand", ())
    >>> elsewhere(Labels("XR", "chest", ()), hand), elsewhere(Labels("XR", "", ()), hand)
    ('other body part', '')
    """
    if agreement([case.modality], [hit.modality]) == "other":
        return "other kind of image"
    return "other body part" if agreement([case.anatomy], [hit.anatomy]) == "other" else ""


def left_out(exclude: Sequence[str], *, knows_patient: bool) -> str:
    """What a case does not get, and what may be among its hits for want of knowledge.

    Args:
        exclude: What is left out.
        knows_patient: Whether it is known whose image the case is.

    >>> left_out(["patient"], knows_patient=True)
    'Images of the same patient are left out.'
    >>> left_out(["near-duplicate", "patient"], knows_patient=False)
    'Near-copies of the image are left out. Whose image this is is not known: some may be of the same patient.'
    """
    names = [_LEFT_OUT[name] for name in exclude if knows_patient or name != "patient"]
    said = " and ".join(names)
    parts = [f"{said[:1].upper()}{said[1:]} are left out."] if names else []
    if not knows_patient:
        parts.append("Whose image this is is not known: some may be of the same patient.")
    return " ".join(parts)
