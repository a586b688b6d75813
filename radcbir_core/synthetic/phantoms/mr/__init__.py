"""Magnetic resonance: brain, knee, lumbar spine and breast, from relaxation times by the sequences' equations."""

from __future__ import annotations

from radcbir_core.synthetic.phantoms.mr import brain, breast, knee, spine
from radcbir_core.synthetic.phantoms.scenes import Scene

SCENES: tuple[Scene, ...] = (brain.SCENE, knee.SCENE, spine.SCENE, breast.SCENE)
