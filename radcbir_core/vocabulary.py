"""The words a manifest uses, and how sources spell them.

Owns the fixed vocabularies (modality, split), the words for "no finding" and "not known", and the rules by which a
source's spelling becomes one of them. Every rule is a pure function from text to text; who calls it counts and
reports what was changed. Knows nothing of tables or files.

The four modalities are those of Denner et al. (arXiv 2403.06567, section 2.1). Codes such as CR, DX and MG are the
defined terms of the DICOM attribute Modality (0008,0060), PS3.3 C.7.3.1.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MODALITIES = ("XR", "CT", "MR", "US", "other")
NORMAL = "normal"

_MODALITY_SPELLINGS = {
    "XR": [
        *[
            "xr",
            "x-ray",
            "xray",
            "x ray",
            "radiograph",
            "radiography",
            "plain film",
            "cxr",
            "cr",
            "dx",
            "dr",
            "rg",
            "rf",
        ],
        *["mg", "mammography", "computed radiography", "digital radiography"],
    ],
    "CT": ["ct", "computed tomography", "cat", "ct scan"],
    "MR": ["mr", "mri", "magnetic resonance", "magnetic resonance imaging", "nmr"],
    "US": ["us", "ultrasound", "ultrasonography", "sonography", "sonogram", "echo", "echography"],
    "other": ["other", "ot"],
}
_MODALITY_OF = {spelling: modality for modality, spellings in _MODALITY_SPELLINGS.items() for spelling in spellings}
_SPLIT_OF = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
NOT_KNOWN = frozenset({"", "unknown", "unlabelled", "unlabeled", "nan", "na", "n/a", "<na>", "null", "none", "-", "?"})
"""What tables write where nothing is known, in lower case."""
_NORMAL = frozenset({"normal", "no finding", "no findings", "no_finding", "nofinding", "healthy", "no abnormality"})

_SPACES = re.compile(r"\s+")
_WHOLE_NUMBER = re.compile(r"(-?\d+)\.0*")
_SCIENTIFIC = re.compile(r"([1-9])(?:\.(\d*))?[eE]\+(\d{1,2})")
_GUARDED = re.compile(r"=\"(.*)\"|'(\d+)")


def tidy(text: str) -> str:
    r"""``text`` without outer blanks, inner runs of white space as one blank, and without control characters.

    Example:
        >>> tidy("  pleural\t effusion ")
        'pleural effusion'
    """
    return _SPACES.sub(" ", "".join(c if c.isprintable() else " " for c in text)).strip()


def is_known(text: str) -> bool:
    """Whether ``text`` says anything: false for blanks and for words such as "unknown", "NaN" or "n/a".

    Example:
        >>> is_known("Unknown"), is_known("unknown primary tumour")
        (False, True)
    """
    return text.strip().casefold() not in NOT_KNOWN


def normal_modality(text: str) -> str:
    """The manifest's word for a source's modality: one of :data:`MODALITIES`, or "" where it is not known.

    A modality that is none of the four and not empty becomes "other".

    Example:
        >>> [normal_modality(word) for word in ("X-ray", "MRI", "unknown", "endoscopy")]
        ['XR', 'MR', '', 'other']
    """
    word = tidy(text).casefold().replace("_", " ")
    return _MODALITY_OF.get(word, "other") if is_known(word) else ""


def normal_split(text: str) -> str:
    """The manifest's word for a source's split: train, val or test, and "" for anything else.

    Example:
        >>> [normal_split(word) for word in ("Training", "valid", "test", "fold 3")]
        ['train', 'val', 'test', '']
    """
    return _SPLIT_OF.get(tidy(text).casefold(), "")


def normal_pathology(text: str) -> str:
    """One finding as the manifest spells it: "" where nothing is known, "normal" for no finding, else tidied text.

    Example:
        >>> [normal_pathology(word) for word in ("No Finding", "unknown", " COVID-19  pneumonia")]
        ['normal', '', 'COVID-19 pneumonia']
    """
    word = tidy(text)
    if not is_known(word):
        return ""
    return NORMAL if word.casefold() in _NORMAL else word


def normal_text(text: str) -> str:
    """Any other label or identifier: tidied, and "" where the source says that it is not known.

    Example:
        >>> normal_text(" Lumbar   spine "), normal_text("n/a")
        ('Lumbar spine', '')
    """
    word = tidy(text)
    return word if is_known(word) else ""


def normal_identifier(text: str) -> str:
    """An identifier of a patient, a study or a series: whole numbers are one, however a table wrote them.

    Tables that went through a spreadsheet or a column of floats have 12 as 12.0 or 1.2E+01. Leading zeros stay: 007
    and 7 may be two patients. The E notation counts only as programs write it, with a sign: 12E4 may be a name.

    Example:
        >>> [normal_identifier(word) for word in ("12", "12.0", "1.2E+01", "007", "007.0", "1.5", "12E4", "unknown")]
        ['12', '12', '12', '007', '007', '1.5', '12E4', '']
    """
    word = normal_text(text)
    guarded = _GUARDED.fullmatch(word)
    if guarded:  # as spreadsheets are told that it is text
        word = guarded[1] or guarded[2] or ""
    whole = _WHOLE_NUMBER.fullmatch(word)
    if whole:
        return whole[1]
    scientific = _SCIENTIFIC.fullmatch(word)
    if scientific:
        digits = (scientific[2] or "").rstrip("0")
        if len(digits) <= int(scientific[3]):
            return scientific[1] + digits.ljust(int(scientific[3]), "0")
    return word


def spelling_to_use(counts: Mapping[str, int]) -> dict[str, str]:
    """For words that differ in case only, the spelling to use: the most frequent, ties to the first in the alphabet.

    Args:
        counts: Word → how often it stands there.

    Returns:
        Each spelling that is to be replaced → its replacement; nothing for words that have one spelling.

    Example:
        >>> spelling_to_use({"Chest": 1, "chest": 2, "Hand": 5})
        {'Chest': 'chest'}
    """
    by_key: dict[str, list[str]] = {}
    for word in counts:
        by_key.setdefault(word.casefold(), []).append(word)
    replacements = {}
    for spellings in by_key.values():
        best = min(spellings, key=lambda spelling: (-counts[spelling], spelling))
        replacements.update({spelling: best for spelling in spellings if spelling != best})
    return replacements
