"""One fixed color a modality, an anatomy, or any other label, on every page; and the signs that go with colors.

Owns colors and signs, also those of the stylesheet, which names them and has none of its own. All hues are the
Okabe-Ito set (Okabe and Ito, "Color Universal Design", 2008), which the common kinds of color blindness can tell apart,
lightened where the original is too dark on a dark ground. Color never stands alone: whoever uses it here writes the
sign or the word beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

Agreement = Literal["same", "shared", "other", "unknown"]

GROUND: Final = "#0E1116"
TRACK: Final = "#171C24"
LINES: Final = "#2A313C"
TEXT: Final = "#E4E8EE"
QUIET: Final = "#98A3B3"
ACCENT: Final = "#4FB3D9"

HUES: Final = ("#56B4E9", "#E69F00", "#2FBF9B", "#D98CB8", "#F0E442", "#E8743B", "#8FA8FF", "#C9B18B")
NO_VALUE: Final = "#7A8594"

MODALITIES: Final = {"XR": "#56B4E9", "CT": "#E69F00", "MR": "#2FBF9B", "US": "#D98CB8", "other": "#A8A8A8"}
_ANATOMIES: Final = {
    "chest": "#56B4E9",
    "brain": "#2FBF9B",
    "breast": "#D98CB8",
    "abdomen": "#E69F00",
    "lung": "#8FA8FF",
    "head": "#F0E442",
    "hand": "#E8743B",
    "spine": "#C9B18B",
}

SIGNS: Final[dict[Agreement, str]] = {"same": "✓", "shared": "≈", "other": "✗", "unknown": "?"}
AGREEMENT_COLORS: Final[dict[Agreement, str]] = {
    "same": "#2FBF9B",
    "shared": "#F0E442",
    "other": "#E8743B",
    "unknown": NO_VALUE,
}

STYLESHEET: Final = {
    "ground": GROUND,
    "track": TRACK,
    "lines": LINES,
    "text": TEXT,
    "quiet": QUIET,
    "accent": ACCENT,
    "softer-text": "#C6CDD8",
    "soft-text": "#B9C3D0",
    "link": "#7CC7E8",
    "chosen": "#1F2733",
    "damaged": "#F0B59A",
    "first": HUES[0],
    "second": HUES[1],
    "good": HUES[2],
    "above": HUES[1],
    "below": HUES[0],
    "outline": "#FFFFFF",
    "same": AGREEMENT_COLORS["same"],
    "shared": AGREEMENT_COLORS["shared"],
    "other": AGREEMENT_COLORS["other"],
}
"""What style.css calls its colors (``var(--radcbir-…)``); .streamlit/config.toml has the same for Streamlit's own."""


def colors_of(column: str, values: Iterable[str]) -> dict[str, str]:
    """The color of every value of one manifest column.

    Pass all values of the whole collection, never those of a selection: colors are given out in sorted order, so the
    same collection gets the same colors on every page. Modalities and common anatomies have the same color in all
    collections. Beyond eight values colors repeat.

    Args:
        column: Name of the column, such as ``"modality"``.
        values: All values of that column; the empty text means "no value" and is gray.

    Returns:
        A hex color for each distinct value.

    >>> colors_of("modality", ["US", "XR"])["XR"]
    '#56B4E9'
    >>> colors_of("pathologies", ["normal", ""])
    {'': '#7A8594', 'normal': '#56B4E9'}
    """
    known = {"modality": MODALITIES, "anatomy": _ANATOMIES}.get(column, {})
    distinct = sorted(set(values))
    taken = {known[value] for value in distinct if value in known}
    # Those of known values come last: where there are many others, not all of them have the one color that is left.
    free = sorted(HUES, key=lambda hue: (hue in taken, HUES.index(hue)))
    unknown = [value for value in distinct if value and value not in known]
    colors = {value: free[position % len(free)] for position, value in enumerate(unknown)}
    return {value: known.get(value) or colors.get(value, NO_VALUE) for value in distinct}
