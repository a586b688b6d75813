"""CT phantoms: head in the brain window, chest in the lung window, abdomen in the soft tissue window.

Owns Hounsfield units, anatomy in axial slices and the signs of disease in CT; ``scanner`` turns them into images.
"""

from radcbir_core.synthetic.phantoms.ct.abdomen import ABDOMEN
from radcbir_core.synthetic.phantoms.ct.chest import CHEST
from radcbir_core.synthetic.phantoms.ct.head import HEAD
from radcbir_core.synthetic.phantoms.scenes import Scene

SCENES: tuple[Scene, ...] = (HEAD, CHEST, ABDOMEN)
"""The scenes of CT."""
