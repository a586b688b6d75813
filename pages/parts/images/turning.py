"""Places of a map of three dimensions, as they are seen from a side.

Owns what a view is: two angles in whole degrees, about the axis that points up and then about the one that points
right. The browser turns in the same way (pages/parts/map/canvas/space.js), so that an outline selects what it holds in
its view. Pure functions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Turn = tuple[int, int]
"""About the axis that points up, from -180 to 180; then about the one that points right, from -90 to 90."""

NOT_TURNED: Final[Turn] = (0, 0)


def turned(
    x: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.floating[Any]], z: npt.NDArray[np.floating[Any]], turn: Turn
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Where places are seen, to the right and up.

    Args:
        x: ``(N,)``, NaN without a place.
        y: ``(N,)``.
        z: ``(N,)``, towards whoever looks while nothing is turned.
        turn: The view.

    Example:
        >>> right, up = turned(np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), (90, 0))
        >>> np.abs(right).round(3).tolist(), up.round(3).tolist()
        ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    """
    about, over = np.deg2rad(turn[0]), np.deg2rad(turn[1])
    right = np.cos(about) * x + np.sin(about) * z
    up = np.sin(over) * np.sin(about) * x + np.cos(over) * y - np.sin(over) * np.cos(about) * z
    return right.astype(np.float32), up.astype(np.float32)


def turn_of(about: str, over: str) -> Turn | None:
    """A view as it stands in the URL; None where it is none.

    >>> turn_of("30", "-20"), turn_of("30", "91"), turn_of("x", "1")
    ((30, -20), None, None)
    """
    try:
        found = int(about), int(over)
    except ValueError:
        return None
    return found if abs(found[0]) <= 180 and abs(found[1]) <= 90 else None
