"""A phantom's caption, in a radiologist's words.

Owns the sentences: what is shown, how, and what is found, with size and place now and then. All choices come from the
generator, so that a caption is as deterministic as its image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radcbir_core.synthetic.phantoms import words
from radcbir_core.synthetic.phantoms.scenes import NORMAL, Lesion, Scene

_SAYS_ITS_SIZE = 0.4
_SAYS_ITS_PLACE = 0.6
_NO_SIZE = frozenset({"cardiomegaly", "osteoarthritis", "steatosis", "edema", "emphysema", "B-lines"})


def caption(generator: np.random.Generator, *, scene: Scene, pathology: str, view: str, lesion: Lesion | None) -> str:
    """One or two sentences about one image.

    Args:
        generator: Source of all choices.
        scene: What was drawn.
        pathology: One of the scene's.
        view: Projection, plane or sequence; may be empty.
        lesion: The ground truth; ``None`` in a normal image.

    Example:
        >>> chest = Scene(modality="XR", anatomy="chest", pathologies=("normal",), draw=lambda *_: [])
        >>> caption(np.random.default_rng(11), scene=chest, pathology="normal", view="PA", lesion=None)
        'PA chest radiograph showing no acute abnormality.'
    """
    modality = _one(generator, words.of(words.MODALITIES, scene.modality))
    anatomy = _one(generator, words.of(words.ANATOMIES, scene.anatomy))
    shown = view if view and generator.random() < 0.75 else ""
    subject = _one(
        generator,
        (
            f"{shown} {modality} of the {anatomy}",
            f"{shown} {anatomy} {modality}",
            f"{modality} of the {anatomy}{f' ({shown})' if shown else ''}",
        ),
    )
    finding = _one(generator, words.NORMAL if pathology == NORMAL else words.of(words.FINDINGS, pathology))
    if lesion is not None:
        if lesion.place and generator.random() < _SAYS_ITS_PLACE:
            finding = f"{finding} in the {lesion.place}"
        if pathology not in _NO_SIZE and generator.random() < _SAYS_ITS_SIZE:
            finding = f"{finding}, {_length(lesion.size_mm)}"
    if generator.random() < 0.6:
        joint = _one(generator, ("with", "showing", "demonstrating", "that shows"))
        return _sentence(f"{subject} {joint} {finding}")
    lead = _one(generator, ("", "Finding: ", "Impression: ", "There is "))
    return f"{_sentence(subject)} {_sentence(lead + finding)}"


def _one(generator: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(generator.integers(len(choices)))]


def _length(millimeters: float) -> str:
    return f"{millimeters / 10:.1f} cm" if millimeters >= 10 else f"{millimeters:.0f} mm"


def _sentence(text: str) -> str:
    tidy = " ".join(text.split())
    return f"{tidy[:1].upper()}{tidy[1:]}."
