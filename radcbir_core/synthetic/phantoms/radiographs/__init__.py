"""Phantom radiographs: chest, hand and knee, from thicknesses of soft tissue, bone and air.

Owns the list of scenes of the modality XR.
"""

from __future__ import annotations

from radcbir_core.synthetic.phantoms.radiographs import chest, hand, knee
from radcbir_core.synthetic.phantoms.scenes import Scene

SCENES: tuple[Scene, ...] = (
    Scene(modality="XR", anatomy="chest", pathologies=chest.PATHOLOGIES, draw=chest.draw_chest),
    Scene(modality="XR", anatomy="hand", pathologies=hand.PATHOLOGIES, draw=hand.draw_hand),
    Scene(modality="XR", anatomy="knee", pathologies=knee.PATHOLOGIES, draw=knee.draw_knee),
)
"""The scenes of this modality."""
