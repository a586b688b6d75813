"""A label as a sentence that describes its images.

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
_COUNTABLE: Final = frozenset({"cyst", "fracture", "infarct", "lesion", "mass", "nodule", "stone", "tear", "tumor"})


def label_sentence(modality: str, anatomy: str, pathology: str) -> str:
    """One label in words.

    Example:
        >>> label_sentence("CT", "abdomen", "renal cyst"), label_sentence("MR", "brain", "normal")
        ('CT of the abdomen with a renal cyst', 'normal MRI of the brain')
        >>> label_sentence("other", "skin", "nevus")
        'skin with nevus'
    """
    image = _FORMS.get(modality, "{anatomy}").format(anatomy=anatomy)
    if pathology == "normal":
        return f"normal {image}"
    finding = pathology.removeprefix(f"{anatomy} ")
    if finding.split()[-1:] and finding.split()[-1] in _COUNTABLE:
        finding = f"{'an' if finding[0] in 'aeiou' else 'a'} {finding}"
    return f"{image} with {finding}"
