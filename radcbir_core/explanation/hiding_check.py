"""The check of a map: does hiding what it highlights lower the similarity more than hiding the same area elsewhere?

Owns what counts as highlighted, the areas elsewhere, and the verdicts. After the deletion test of Petsiuk, Das and
Saenko, "RISE" (2018), with other places of the same image in the place of other methods, so that it is a test of
randomization: were the place of no matter, the highlighted one would be the k-th of all as often for each k.

A map by occlusion was made of the same falls, and passes where things are hidden in the same way nearly always. So each
map is checked in every way of hiding, and is whole only where it passes in all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders import Encoder
from radcbir_core.encoders.base import Float32Array
from radcbir_core.explanation.hiding import Fill, Input, Mask, Rect, Told, left_when_hidden, nobody

Verdict = Literal["explains", "explains in part", "does not explain", "cannot tell"]

HIGHLIGHTED: Final = 0.10
"""The share of the image that counts as highlighted: where the map is highest."""
ELSEWHERE: Final = 99
SURE: Final = 0.05
NOISE: Final = 1e-5
"""Cosines of one input in batches of different sizes differ by less."""


@dataclass(frozen=True, eq=False)
class Check:
    """What hiding the highlighted area does, and what hiding it elsewhere does.

    Attributes:
        drop: By how much the similarity falls when the highlighted area is hidden, in units of cosine; NaN where
            nothing is highlighted.
        elsewhere: (n,) by how much when an area of the same size and shape is, at a random place.
        share: Of the image that is highlighted, 0 to 1.
        fill: What stood in the place of what was hidden.
    """

    drop: float
    elsewhere: npt.NDArray[np.float64]
    share: float
    fill: Fill

    @property
    def beaten(self) -> int:
        """How many of the areas elsewhere lower the similarity less."""
        return int((self.elsewhere < self.drop).sum())

    @property
    def p(self) -> float:
        """The share of places that lower it as much or more, the highlighted one among them; NaN without any.

        Example:
            >>> Check(0.3, np.array([0.1, 0.3, 0.2]), 0.1, "mean").p
            0.5
        """
        if not len(self.elsewhere):
            return float("nan")
        return (1 + int((self.elsewhere >= self.drop).sum())) / (1 + len(self.elsewhere))

    @property
    def verdict(self) -> Verdict:
        """``explains`` where hiding it lowers the similarity, and more than 95 of 100 places do.

        ``cannot tell`` where there is no other place, or where hiding changes nothing at all, wherever it is.
        """
        if not len(self.elsewhere) or not max(abs(self.drop), np.abs(self.elsewhere).max()) > NOISE:
            return "cannot tell"
        return "explains" if self.drop > NOISE and self.p <= SURE else "does not explain"


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """What all checks of one map say together: ``explains in part`` where it passes in some ways of hiding only.

    Example:
        >>> passed, failed = (Check(drop, np.arange(99) / 1000, 0.1, "mean") for drop in (0.5, 0.01))
        >>> verdict_of([passed, passed]), verdict_of([passed, failed]), verdict_of([failed, failed])
        ('explains', 'explains in part', 'does not explain')
    """
    verdicts = [check.verdict for check in checks]
    if all(verdict == verdicts[0] for verdict in verdicts):
        return verdicts[0]
    return "explains in part" if "explains" in verdicts else "does not explain"


def highlighted(values: npt.NDArray[np.float64], *, share: float = HIGHLIGHTED) -> Mask:
    """Where a map is highest.

    Args:
        values: (H, W), NaN outside.
        share: Of what is inside.

    Returns:
        (H, W) so many cells, and those that are as high as the last of them, so that no patch is cut in two; none where
        all are the same.

    Example:
        >>> highlighted(np.array([[0.0, 3.0], [1.0, 3.0]]), share=0.25).tolist()
        [[False, True], [False, True]]
        >>> bool(highlighted(np.zeros((4, 4))).any())
        False
    """
    inside = values[~np.isnan(values)]
    count = max(1, round(share * len(inside)))
    if not len(inside) or inside.max() - inside.min() <= NOISE:
        return np.zeros(values.shape, dtype=np.bool_)
    lowest = np.sort(inside)[-count]
    # Of a map that is high at few cells and one low value elsewhere, only those.
    enough = lowest if lowest > inside.min() else np.nextafter(lowest, np.inf)
    area: Mask = np.nan_to_num(values, nan=-np.inf) >= enough
    return area


def moved(area: Mask, seen: Rect, *, down: int, right: int) -> Mask:
    """``area`` moved inside ``seen``; what leaves it on one side comes in on the other.

    Example:
        >>> moved(np.array([[True, False, False]]), (0, 0, 1, 2), down=0, right=1).tolist()
        [[False, True, False]]
    """
    top, left, bottom, end = seen
    made = area.copy()
    made[top:bottom, left:end] = np.roll(area[top:bottom, left:end], (down, right), axis=(0, 1))
    return made


def elsewhere(area: Mask, seen: Rect, *, count: int, seed: bytes) -> list[Mask]:
    """Areas of the same size and shape at other places of the image, drawn without putting back.

    Args:
        area: (H, W).
        seen: Where there is image.
        count: How many, or as many as there are other places.
        seed: The same gives the same.
    """
    height, width = seen[2] - seen[0], seen[3] - seen[1]
    # Place 0 is where it is.
    places = 1 + np.random.default_rng(list(hashlib.sha256(seed).digest())).permutation(height * width - 1)[:count]
    return [moved(area, seen, down=int(place) // width, right=int(place) % width) for place in places]


def check_map(
    encoder: Encoder,
    image: Input,
    area: Mask,
    *,
    other: Float32Array,
    similarity: float,
    fill: Fill,
    count: int = ELSEWHERE,
    told: Told = nobody,
) -> Check:
    """Whether what a map highlights matters.

    Args:
        encoder: Of both images.
        image: Of which the map is.
        area: (H, W) what it highlights; nothing where it is empty.
        other: (D,) embedding of the other image.
        similarity: Of the two as they are.
        fill: What stands in the place of what is hidden.
        count: How many other places.
        told: How many more areas have been hidden.
    """
    share = float(area.sum() / image.seen_mask.sum())
    if not area.any():
        told(count + 1)
        return Check(float("nan"), np.zeros(0), share, fill)
    seed = image.channels.tobytes() + other.astype(np.float16).tobytes() + np.packbits(area).tobytes()
    masks = [area, *elsewhere(area, image.seen, count=count, seed=seed)]
    side = float(np.sqrt(area.sum()))
    left = left_when_hidden(encoder, image, masks, other=other, fill=fill, side=side, told=told)
    drops = similarity - left
    return Check(float(drops[0]), drops[1:], share, fill)
