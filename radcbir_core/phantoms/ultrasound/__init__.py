"""Ultrasound phantoms: breast, lung, liver, kidney, thyroid, gallbladder.

Owns echo levels, attenuation, anatomy and the signs of disease in ultrasound; ``scanner`` turns them into images.
"""

from radcbir_core.phantoms.scenes import Scene
from radcbir_core.phantoms.ultrasound.breast import BREAST

SCENES: tuple[Scene, ...] = (BREAST,)
"""The scenes of ultrasound."""
