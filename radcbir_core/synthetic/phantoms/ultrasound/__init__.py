"""Ultrasound phantoms: breast, lung, liver, kidney, thyroid, gallbladder.

Owns echo levels, attenuation, anatomy and the signs of disease in ultrasound; ``scanner`` turns them into images.
"""

from radcbir_core.synthetic.phantoms.scenes import Scene
from radcbir_core.synthetic.phantoms.ultrasound.breast import BREAST
from radcbir_core.synthetic.phantoms.ultrasound.gallbladder import GALLBLADDER
from radcbir_core.synthetic.phantoms.ultrasound.kidney import KIDNEY
from radcbir_core.synthetic.phantoms.ultrasound.liver import LIVER_SCENE
from radcbir_core.synthetic.phantoms.ultrasound.lung import LUNG
from radcbir_core.synthetic.phantoms.ultrasound.thyroid import THYROID

SCENES: tuple[Scene, ...] = (BREAST, LUNG, LIVER_SCENE, KIDNEY, GALLBLADDER, THYROID)
"""The scenes of ultrasound."""
