"""The points of the map: which images have a place on it, which of them are drawn, and what each of them is.

Owns the choice of points and the texts shown on hovering. Colors are coloring.py's, the figure is figures.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from pages.parts.frame.figures import hover_line, plain
from radcbir_core.collections.manifest import Manifest

MOST: Final = 50_000
"""Points drawn at most: beyond, the message to the browser grows slow. More are sampled, always the same ones."""

_COLUMNS: Final = ("image_id", "modality", "anatomy", "pathologies", "dataset", "split")


@dataclass(frozen=True)
class Points:
    """The points of a map.

    Attributes:
        rows: ``(P,)`` int64, ascending: the images that have a place and pass the filter.
        x: ``(P,)`` float32.
        y: ``(P,)`` float32.
        drawn: ``(D,)`` int64, positions among the P, ascending; at most :data:`MOST`.
        hover: D texts, escaped for Plotly.
        preservation: Mean neighborhood preservation of all images with a place, filtered or not; NaN without any.
    """

    rows: npt.NDArray[np.int64]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    drawn: npt.NDArray[np.int64]
    hover: list[str]
    preservation: float


def points_of(
    manifest: Manifest, projection: pd.DataFrame, where: Mapping[str, Sequence[str]], *, most: int = MOST
) -> Points:
    """The points of a map under a filter.

    Args:
        manifest: What the images are.
        projection: Row-aligned with it: x, y, preservation; NaN for an image without a place.
        where: Column → accepted values.
        most: How many are drawn at most; a sample with a fixed seed where there are more.

    Raises:
        QueryError: A column or value that the collection does not have.
    """
    x, y = (projection[name].to_numpy(dtype=np.float32) for name in ("x", "y"))
    placed = ~(np.isnan(x) | np.isnan(y))
    rows = np.flatnonzero(placed & manifest.mask(where) if where else placed)
    drawn = np.arange(len(rows))
    if len(rows) > most:
        drawn = np.sort(np.random.default_rng(0).choice(len(rows), most, replace=False))
    preservation = projection["preservation"].to_numpy(dtype=np.float64)[placed]
    return Points(
        rows=rows,
        x=x[rows],
        y=y[rows],
        drawn=drawn,
        hover=_texts(manifest, rows[drawn]),
        preservation=float(np.nanmean(preservation)) if (~np.isnan(preservation)).any() else float("nan"),
    )


def _texts(manifest: Manifest, rows: npt.NDArray[np.int64]) -> list[str]:
    """What each image is, line by line."""
    table = manifest.rows(rows, _COLUMNS)
    columns = (table[name].tolist() for name in _COLUMNS)
    return [
        "<br>".join(
            [
                f"<b>{hover_line(image_id)}</b>",
                " · ".join(plain(value) for value in (modality, anatomy) if value) or "no modality, no anatomy",
                hover_line(", ".join(pathologies)) or "not labeled",
                " · ".join(plain(value) for value in (dataset, split) if value),
            ]
        )
        for image_id, modality, anatomy, pathologies, dataset, split in zip(*columns, strict=True)
    ]
