"""What is said of a map: with which choices it was made, from what it started, and of which images it was laid out.

Owns these words. Pure: a record in, a sentence out. An old record says less, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.wording import counted

_STARTS: Final = {
    "spectral": "It started from the slowest diffusion coordinates of the neighbor graph.",
    "landmarks": "It started from steps to landmarks in the neighbor graph, since its diffusion coordinates took more "
    "work than is allowed.",
    "none": "There are too few images for UMAP: they are put at equal distances.",
}


def made_with(name: str, facts: Mapping[str, Any], *, images: int) -> str:
    """How a map was made, in one line; "" where nothing is recorded of it.

    Args:
        name: Of the map.
        facts: What was recorded of it.
        images: How many have a place on it; one that could not be embedded has none.

    Example:
        >>> facts = {"n_neighbors": 50, "min_dist": 0.1, "seed": 3, "dimensions": 2, "start": "none"}
        >>> made_with("wide", facts, images=3)[:66]
        'Map wide: 50 images in a neighborhood, least distance 0.1, seed 3.'
    """
    choices = [
        f"{facts['n_neighbors']} images in a neighborhood" if "n_neighbors" in facts else "",
        f"least distance {facts['min_dist']:g}" if "min_dist" in facts else "",
        f"seed {facts['seed']}" if "seed" in facts else "",
        "three dimensions" if facts.get("dimensions") == 3 else "",
        "on all cores" if facts.get("parallel") else "",
        f"umap-learn {facts['umap']}" if "umap" in facts else "",
    ]
    lines = [", ".join(filter(None, choices)), _STARTS.get(str(facts.get("start")), "").removesuffix(".")]
    drawn = facts.get("drawn")
    if isinstance(drawn, int) and 0 < drawn < images:
        first = f"{drawn:,} of {counted(images, 'image')}"
        lines.append(f"{first}, drawn by label, were laid out first; the others then joined in")
    said = [line for line in lines if line]
    if not said:
        return ""
    title = "Map" if name == STANDARD_MAP else f"Map {name}"
    return f"{title}: {'. '.join(said)}."
