"""What every phantom has in common: a scene, the images that it draws, and the lesion that is known to be there.

Owns the types and the registry's grammar. Draws nothing; one module a modality does (radiographs, ct, mr, ultrasound).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE = 224
"""Side of a phantom in pixels."""

NORMAL = "normal"


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """The ground truth of what is pathological in one image.

    Attributes:
        size_mm: Largest extent in the plane, in mm, above 0; of the largest one where there are several, and of the
            changed part where the finding is no lump (depth of an effusion, width of an enlarged heart).
        contrast: Mean grey level of the lesion less that of its surroundings, in the displayed image before noise, as
            a share of the full range, -1 to 1.
        x: Center, as a share of the image's width, 0 (left) to 1.
        y: Center, as a share of the image's height, 0 (top) to 1.
        place: Where it is, in a radiologist's words after "in the" or "of the": "right lower lobe"; empty if the
            finding has no place worth telling.
    """

    size_mm: float
    contrast: float
    x: float
    y: float
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One image of one patient.

    Attributes:
        pixels: (224, 224) uint8, as a viewer would show it.
        view: Projection, plane or sequence, in a radiologist's words: "PA", "axial T2", "longitudinal".
        lesion: What is pathological; None in a normal image.
    """

    pixels: npt.NDArray[np.uint8]
    view: str
    lesion: Lesion | None = None


Draw = Callable[[str, np.random.Generator, int], list[Drawn]]
"""``draw(pathology, generator, images)``: the images of one patient, all of which show the pathology.

All randomness comes from the generator, so that one state gives the same bytes again. What belongs to the patient
(build, side, the lesion itself, the scanner) is drawn once; what belongs to an image (slice, breath, angle, noise) for
each image, so that the images of a patient are alike as neighboring slices or two views are.
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One modality of one anatomy.

    Attributes:
        modality: XR, CT, MR or US.
        anatomy: As the manifest says it.
        pathologies: What can be drawn; "normal" first.
        draw: Draws one patient.
    """

    modality: str
    anatomy: str
    pathologies: tuple[str, ...]
    draw: Draw

    @property
    def labels(self) -> tuple[str, ...]:
        """``modality/anatomy/pathology`` for each pathology."""
        return tuple(f"{self.modality}/{self.anatomy}/{pathology}" for pathology in self.pathologies)
