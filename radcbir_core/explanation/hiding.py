"""Parts of an encoder's input hidden, and the similarity that is left.

Owns what stands in the place of what is hidden, and asking the encoder in batches. Which parts, is the others'.

Hidden is the input of the encoder and not the image: the encoder gets nothing else, resizing is done once, and an edge
that it never gets is never hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders import Encoder
from radcbir_core.encoders.base import Float32Array
from radcbir_core.encoders.transform import seen_box
from radcbir_core.errors import QueryError
from radcbir_core.images.fitting import Box

Fill = Literal["blur", "mean"]
FILLS: Final[tuple[Fill, ...]] = get_args(Fill)
"""What stands in the place of what is hidden. ``mean``: one level, the mean of the image; ``blur``: the image itself,
blurred until nothing of the size of what is hidden is left."""

Mask = npt.NDArray[np.bool_]
Rect = tuple[int, int, int, int]
"""Top, left, bottom and right, in cells of the input."""


Told = Callable[[int], None]
"""Told how many more inputs the encoder has been given."""


def nobody(more: int) -> None:
    """Takes no note."""


@dataclass(frozen=True, eq=False)
class Input:
    """One image as an encoder gets it.

    Attributes:
        channels: (C, H, W) float32.
        shape: As the encoder wants it, of which ``channels`` is another view.
        box: The place of the whole input in the image as it is displayed: top, left, bottom, right, in its pixels.
        seen: The part of the input that is image and not what a fit added, in cells.
        image: Height and width of the image as it is displayed, pixels.
    """

    channels: Float32Array
    shape: tuple[int, ...]
    box: Box
    seen: Rect
    image: tuple[int, int]

    @classmethod
    def of(cls, encoder: Encoder, pixels: npt.NDArray[np.uint8]) -> Input:
        """What ``encoder`` gets of a decoded image, (H, W) or (H, W, 3) uint8."""
        height, width = encoder.preprocessing.size
        prepared = encoder.prepare(pixels)
        box = seen_box(encoder.preprocessing, height=pixels.shape[0], width=pixels.shape[1])
        return cls(
            prepared.reshape(-1, height, width),
            prepared.shape,
            box,
            _seen(box, image=pixels.shape[:2], size=(height, width)),
            (pixels.shape[0], pixels.shape[1]),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, cells."""
        return self.channels.shape[1], self.channels.shape[2]

    @property
    def seen_mask(self) -> Mask:
        """(H, W) where it is image."""
        mask = np.zeros(self.size, dtype=np.bool_)
        top, left, bottom, right = self.seen
        mask[top:bottom, left:right] = True
        return mask

    def filled(self, fill: Fill, *, side: float) -> Float32Array:
        """(C, H, W): what can be seen where all of it is hidden.

        Args:
            fill: How.
            side: Of the areas that are hidden, cells; blurring leaves nothing of that size.
        """
        from scipy.ndimage import gaussian_filter

        top, left, bottom, right = self.seen
        inside = self.channels[:, top:bottom, left:right]
        made = self.channels.copy()
        if fill == "mean":
            made[:, top:bottom, left:right] = inside.mean(axis=(1, 2), keepdims=True)
        else:
            # What was added around the image must not run into it.
            blurred = [gaussian_filter(channel, sigma=side / 2, mode="nearest") for channel in inside]
            made[:, top:bottom, left:right] = np.stack(blurred)
        return made


def _seen(box: Box, *, image: tuple[int, ...], size: tuple[int, int]) -> Rect:
    """The cells whose middle is in the image; at least one."""
    edges = []
    for low, high, length, cells in zip(box[:2], box[2:], image, size, strict=True):
        per_cell = (high - low) / cells
        first = max(0, int(np.ceil(-low / per_cell - 0.5 - 1e-9)))
        last = min(cells, int(np.floor((length - low) / per_cell + 0.5 - 1e-9)))
        first = min(first, cells - 1)
        edges.append((first, max(first + 1, last)))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


def checked_fill(fill: str) -> Fill:
    """``fill`` itself.

    Raises:
        QueryError: There is no such fill.
    """
    for known in FILLS:
        if fill == known:
            return known
    raise QueryError(f"Expected a fill of {' or '.join(FILLS)}, but fill = {fill!r}. Choose one.")


def embeddings_of(encoder: Encoder, inputs: Sequence[Input]) -> Float32Array:
    """(N, D) float32, each of norm 1 or 0."""
    return encoder.encode_prepared(np.stack([one.channels.reshape(one.shape) for one in inputs]))


def left_when_hidden(
    encoder: Encoder,
    image: Input,
    masks: Iterable[Mask],
    *,
    other: Float32Array,
    fill: Fill,
    side: float,
    told: Told = nobody,
) -> npt.NDArray[np.float64]:
    """The similarity of an image with parts hidden to another image.

    Args:
        encoder: Asked ``batch_size`` inputs at a time.
        image: In which parts are hidden.
        masks: (H, W) each, True where it is hidden.
        other: (D,) embedding of the other image.
        fill: What stands there instead.
        side: As for :meth:`Input.filled`.
        told: How many more have been asked.

    Returns:
        (M,) cosines; 0 where nothing is left that the encoder could make something of.
    """
    instead = image.filled(fill, side=side)
    left: list[npt.NDArray[np.float64]] = []
    waiting = iter(masks)
    while some := list(islice(waiting, max(1, encoder.batch_size))):
        inputs = np.stack([np.where(mask, instead, image.channels).reshape(image.shape) for mask in some])
        embeddings = encoder.encode_prepared(np.ascontiguousarray(inputs, dtype=np.float32))
        left.append(embeddings.astype(np.float64) @ other.astype(np.float64))
        told(len(some))
    return np.concatenate(left) if left else np.zeros(0)
