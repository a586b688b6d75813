"""A label, or the kind of image that has one, as words that describe its images.

Owns the wording. Pure: a label in, a sentence out.
"""

from __future__ import annotations

from typing import Final

_FORMS: Final = {
    "XR": "{anatomy} radiograph",
    "CT": "CT of the {anatomy}",
    "MR": "MRI of the {anatomy}",
    "US": "ultrasound of the {anatomy}",
}
_WORDS: Final = {"XR": "radiograph", "CT": "CT", "MR": "MRI", "US": "ultrasound"}
_COUNTABLE: Final = frozenset({"cyst", "fracture", "infarct", "lesion", "mass", "nodule", "stone", "tear", "tumor"})


def label_sentence(modality: str, anatomy: str, pathology: str) -> str:
    """One label in words.

    Example:
        >>> label_sentence("CT", "abdomen", "renal cyst"), label_sentence("MR", "brain", "normal")
        ('CT of the abdomen with a renal cyst', 'normal MRI of the brain')
        >>> label_sentence("other", "skin", "nevus")
        'skin with nevus'
    """
    image = image_in_words(modality, anatomy)
    if pathology == "normal":
        return f"normal {image}"
    finding = pathology.removeprefix(f"{anatomy} ")
    if finding.split()[-1:] and finding.split()[-1] in _COUNTABLE:
        finding = f"{'an' if finding[0] in 'aeiou' else 'a'} {finding}"
    return f"{image} with {finding}"


def image_in_words(modality: str, anatomy: str) -> str:
    """What kind of image it is, in words; either may be "", where it is not known.

    Example:
        >>> image_in_words("XR", "chest"), image_in_words("CT", ""), image_in_words("other", "skin")
        ('chest radiograph', 'CT', 'skin')
        >>> image_in_words("", "")
        'image'
    """
    if anatomy:
        return _FORMS.get(modality, "{anatomy}").format(anatomy=anatomy)
    return _WORDS.get(modality, "image")
