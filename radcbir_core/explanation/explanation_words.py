"""An explanation in words: how it was made, where it points, and what its checks found.

Owns the sentences that a page and a terminal share. They stand in for the picture where it cannot be seen.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from radcbir_core.explanation.drawing import on_image
from radcbir_core.explanation.explaining import Explanation, Side
from radcbir_core.explanation.hiding import Fill
from radcbir_core.explanation.hiding_check import Check, Verdict
from radcbir_core.wording import counted

NAMES: Final = ("query", "hit")
HIDDEN_BY: Final[dict[Fill, str]] = {"mean": "replaced by the mean shade", "blur": "blurred away"}
VERDICTS: Final[dict[Verdict, str]] = {
    "explains": "explains the similarity, in whatever way it is hidden",
    "explains in part": "explains the similarity in one way of hiding only",
    "does not explain": "does not explain this similarity",
    "cannot tell": "cannot tell: hiding parts changes nothing, wherever they are",
}


def method_said(explanation: Explanation) -> str:
    """How the maps were made, in a sentence or two."""
    if explanation.method == "patches" and explanation.grid is not None:
        rows, columns = explanation.grid
        return (
            f"Patch similarity: for each of {rows} × {columns} patches, the cosine with that patch of the other image "
            "which it is most like."
        )
    if explanation.squares is None or explanation.fill is None:
        return "Occlusion."
    side, stride = explanation.squares.cells(explanation.sides[0].values.shape)
    height, width = explanation.sides[0].values.shape
    said = (
        f"Occlusion: squares of {side} × {side} of the {height} × {width} pixels that the encoder gets, {stride} "
        f"apart, were {HIDDEN_BY[explanation.fill]} one at a time; the map is the fall of the similarity."
    )
    if explanation.passed_over is not None:
        said += " Patch similarity was tried first, and did not pass its checks on both images."
    return said


def place_said(side: Side) -> str:
    """Where the highlighted area is in the image, in words."""
    height, width = side.image
    area = np.nan_to_num(on_image(side.area.astype(np.float64), side.box, height=height, width=width)) > 0.5
    if not area.any():
        return "nothing is highlighted"
    down, across = (float(places.mean() + 0.5) for places in np.nonzero(area))
    row = ("upper", "middle", "lower")[min(2, int(3 * down / height))]
    column = ("left", "center", "right")[min(2, int(3 * across / width))]
    where = "center" if (row, column) == ("middle", "center") else f"{row} {column}"
    return (
        f"highlighted {area.mean():.0%} of the image, around its {where} ({across / width:.0%} from the left, "
        f"{down / height:.0%} from the top)"
    )


def check_said(check: Check) -> str:
    """What one check found, with its numbers.

    Example:
        >>> check_said(Check(0.2, np.array([0.1, 0.3, -0.0001]), 0.1, "blur"))
        'Blurred away, it takes 0.200 from the similarity; 3 areas of the same size and shape elsewhere take 0.100 in the median (0.000 to 0.300): more than 2 of 3.'
    """  # noqa: E501
    hidden = HIDDEN_BY[check.fill].capitalize()
    if not len(check.elsewhere):
        return f"{hidden}: nothing is highlighted that could be compared with other places."
    drop, low, middle, high = (
        f"{round(float(value), 3) + 0.0:.3f}" for value in (check.drop, *np.quantile(check.elsewhere, (0, 0.5, 1)))
    )
    return (
        f"{hidden}, it takes {drop} from the similarity; {counted(len(check.elsewhere), 'area')} of the same size and "
        f"shape elsewhere take {middle} in the median ({low} to {high}): more than {check.beaten} of "
        f"{len(check.elsewhere)}."
    )


def verdict_said(side: Side, name: str) -> str:
    """What all checks of one image say together, in a sentence.

    Args:
        side: Of the image.
        name: What it is called.
    """
    if side.verdict == "cannot tell":
        return f"For the {name}, the check {VERDICTS[side.verdict]}."
    return f"The map of the {name} {VERDICTS[side.verdict]}."


def as_record(explanation: Explanation) -> dict[str, Any]:
    """The figures as plain JSON values; of the maps only how high they go, and where they are highest.

    ``highlighted`` is top, left, bottom and right of the highlighted area, in pixels of the image; None without one.
    """
    return {
        "encoder": explanation.encoder_id,
        "method": explanation.method,
        "similarity": explanation.similarity,
        **{name: _side_record(side) for name, side in zip(NAMES, explanation.sides, strict=True)},
    }


def _side_record(side: Side) -> dict[str, Any]:
    top, left, bottom, right = side.box
    down, across = (bottom - top) / side.values.shape[0], (right - left) / side.values.shape[1]
    rows, columns = np.nonzero(side.area)
    edges = None
    if len(rows):
        edges = [
            round(float(edge), 1)
            for edge in (
                top + rows.min() * down,
                left + columns.min() * across,
                top + (rows.max() + 1) * down,
                left + (columns.max() + 1) * across,
            )
        ]
    return {
        "verdict": side.verdict,
        "highest": float(np.nanmax(side.values)),
        "lowest": float(np.nanmin(side.values)),
        "highlighted": edges,
        "checks": [
            {
                "hidden": check.fill,
                "share": check.share,
                "drop": check.drop if len(check.elsewhere) else None,
                "elsewhere": sorted(check.elsewhere.tolist()),
                "beaten": check.beaten,
                "p": check.p if len(check.elsewhere) else None,
                "verdict": check.verdict,
            }
            for check in side.checks
        ],
    }
