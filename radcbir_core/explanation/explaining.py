"""Why these two: two images and an encoder → a map over each, how it was made, and whether it explains anything.

Owns the choice of the method, the default choices, and the result. The methods are occlusion.py's and
patch_similarity.py's, the check is hiding_check.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.base import Float32Array
from radcbir_core.errors import EncoderError, QueryError
from radcbir_core.explanation.hiding import FILLS, Fill, Input, Mask, checked_fill, embeddings_of
from radcbir_core.explanation.hiding_check import ELSEWHERE, Check, Verdict, check_map, highlighted, verdict_of
from radcbir_core.explanation.occlusion import Squares, occlusion_map
from radcbir_core.explanation.patch_similarity import (
    FEWEST_PATCHES_A_SIDE,
    best_matches,
    patch_vectors,
    patches_of,
)
from radcbir_core.images.fitting import Box
from radcbir_core.progress import Progress, silent
from radcbir_core.search.retriever import check_encoder

Method = Literal["occlusion", "patches"]
Asked = Literal["auto", "occlusion", "patches"]
METHODS: Final[tuple[Asked, ...]] = get_args(Asked)
STEP: Final = "explanation"

SQUARES: Final = Squares(patch=16 / 128, stride=8 / 128)
FILL: Final[Fill] = "mean"


@dataclass(frozen=True, eq=False)
class Side:
    """What is known of one of the two images.

    Attributes:
        values: (H, W) float64, the map on the encoder's input; NaN where that is no image. Of occlusion the fall of the
            similarity in units of cosine; of patches a cosine in [-1, 1].
        box: The place of the input in the image as it is displayed: top, left, bottom, right, in its pixels.
        image: Height and width of that image, pixels.
        area: (H, W) bool, where the map is highest.
        checks: What hiding that area does, in every way of hiding; that of the map first.
    """

    values: npt.NDArray[np.float64]
    box: Box
    image: tuple[int, int]
    area: Mask
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """What the checks say together."""
        return verdict_of(self.checks)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Two maps, and whether to believe them.

    Attributes:
        encoder_id: Of the encoder.
        method: How the maps were made.
        similarity: Of the two images as they are, cosine.
        sides: Of the query and of the hit.
        squares: Which squares were hidden; None for patches.
        fill: What stood in their place; None for patches.
        grid: Rows and columns of patches; None for occlusion.
        passed_over: What was tried first, and did not explain both images.
    """

    encoder_id: str
    method: Method
    similarity: float
    sides: tuple[Side, Side]
    squares: Squares | None = None
    fill: Fill | None = None
    grid: tuple[int, int] | None = None
    passed_over: Explanation | None = field(default=None)

    @property
    def explains(self) -> bool:
        """Whether both maps pass all their checks."""
        return all(side.verdict == "explains" for side in self.sides)


def explain_pair(
    encoder: Encoder,
    query: npt.NDArray[np.uint8],
    hit: npt.NDArray[np.uint8],
    *,
    method: Asked = "auto",
    squares: Squares = SQUARES,
    fill: Fill = FILL,
    progress: Progress = silent,
) -> Explanation:
    """Where in both images the similarity comes from, as far as can be told.

    Args:
        encoder: Which takes them for alike.
        query: (H, W) or (H, W, 3) uint8, as an image is decoded.
        hit: The other.
        method: ``occlusion``; ``patches``; or ``auto``: patches where the encoder has enough of them, and occlusion
            where it has not or where their maps do not pass the check on both images.
        squares: Which are hidden, for occlusion.
        fill: What stands in their place.
        progress: Told how many inputs the encoder was given, as step "explanation".

    Raises:
        QueryError: An unknown method or fill, or an image that the encoder can make nothing of.
        EncoderError: The encoder says nothing of patches, or cannot compute.

    Example:
        >>> one = np.zeros((32, 32), dtype=np.uint8)
        >>> one[4:8, 4:8] = 255
        >>> made = explain_pair(load_encoder("pixels"), one, one)
        >>> made.method, round(made.similarity, 3), bool(made.sides[0].area[5, 5])
        ('occlusion', 1.0, True)
    """
    checked_method(method)
    checked_fill(fill)
    images = (Input.of(encoder, query), Input.of(encoder, hit))
    embeddings = embeddings_of(encoder, images)
    for name, embedding in zip(("query", "hit"), embeddings, strict=True):
        if not embedding.any():
            raise QueryError(
                f"Expected two images that {encoder.encoder_id} can make something of, but the {name} is uniform. "
                "Choose another image."
            )
    pair = _Pair(encoder, images, embeddings)
    tried = None
    if method != "occlusion":
        tried = _by_patches(pair, wanted=method == "patches", progress=progress)
        if tried is not None and (method == "patches" or tried.explains):
            return tried
    return _by_occlusion(pair, squares=squares, fill=fill, passed_over=tried, progress=progress)


def explain_rows(
    store: EncoderStore,
    query: int,
    hit: int,
    *,
    encoder: Encoder | None = None,
    method: Asked = "auto",
    progress: Progress = silent,
) -> Explanation:
    """As :func:`explain_pair`, of two images of a collection, read from their files.

    Args:
        store: What the encoder made of the collection.
        query: A row.
        hit: Another.
        encoder: That very encoder; loaded where it is not given.
        method: As for :func:`explain_pair`.
        progress: As for :func:`explain_pair`.

    Raises:
        EncoderError: The embeddings were imported, so that there is no encoder; or as :func:`explain_pair`.
        StaleError: The encoder here is another version than the one that made the embeddings.
        ImageError: The file of an image is gone, or cannot be decoded.
        QueryError: As :func:`explain_pair`.
    """
    check_explainable(store)
    encoder = load_encoder(store.spec) if encoder is None else encoder
    check_encoder(store, encoder)
    one, other = (store.collection.read_image(row).pixels for row in (query, hit))
    return explain_pair(encoder, one, other, method=method, progress=progress)


def checked_method(method: str) -> Asked:
    """``method`` itself.

    Raises:
        QueryError: There is no such method.
    """
    for known in METHODS:
        if method == known:
            return known
    raise QueryError(f"Expected a method of {', '.join(METHODS)}, but method = {method!r}. Choose one.")


def check_explainable(store: EncoderStore) -> None:
    """Do nothing if there is an encoder that can be asked.

    Raises:
        EncoderError: The embeddings were imported.
    """
    if store.imported:
        raise EncoderError(
            f"Expected an encoder that can be given parts of images, but the embeddings of {store.encoder_id} were "
            "imported. Build the collection with an encoder of this machine."
        )


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two images as one encoder gets them."""

    encoder: Encoder
    images: tuple[Input, Input]
    embeddings: Float32Array

    @property
    def similarity(self) -> float:
        return float(self.embeddings[0].astype(np.float64) @ self.embeddings[1].astype(np.float64))

    def checked(
        self, maps: Sequence[npt.NDArray[np.float64]], first: Fill, told: Callable[[int], None]
    ) -> tuple[Side, Side]:
        made = []
        for at, (image, values) in enumerate(zip(self.images, maps, strict=True)):
            area = highlighted(values)
            checks = [
                check_map(
                    self.encoder,
                    image,
                    area,
                    other=self.embeddings[1 - at],
                    similarity=self.similarity,
                    fill=fill,
                    told=told,
                )
                for fill in sorted(FILLS, key=lambda fill: fill != first)
            ]
            made.append(Side(values, image.box, image.image, area, tuple(checks)))
        return made[0], made[1]


_CHECKS: Final = 2 * len(FILLS) * (1 + ELSEWHERE)
"""How many inputs the checks of both images ask for."""


class _Count:
    """Adds up what it is told, and tells it on."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        progress(STEP, 0, total)

    def __call__(self, more: int) -> None:
        self._done = min(self._total, self._done + more)
        self._progress(STEP, self._done, self._total)


def _by_patches(pair: _Pair, *, wanted: bool, progress: Progress) -> Explanation | None:
    """By patches; None where there are none, or too few to be worth it and nobody has asked for them."""
    able = patches_of(pair.encoder)
    if able is None:
        if wanted:
            raise EncoderError(
                f"Expected an encoder that says what it makes of each patch, but {pair.encoder.encoder_id} does not. "
                "Hide parts of the image instead."
            )
        return None
    try:
        vectors = patch_vectors(able, pair.images)
    except EncoderError:
        # Whether a network gives a grid is known once it is asked.
        if wanted:
            raise
        return None
    grid = int(vectors.shape[1]), int(vectors.shape[2])
    if min(grid) < FEWEST_PATCHES_A_SIDE and not wanted:
        return None
    maps = best_matches(vectors, pair.images)
    told = _Count(progress, _CHECKS)
    return Explanation(pair.encoder.encoder_id, "patches", pair.similarity, pair.checked(maps, FILL, told), grid=grid)


def _by_occlusion(
    pair: _Pair, *, squares: Squares, fill: Fill, passed_over: Explanation | None, progress: Progress
) -> Explanation:
    total = sum(len(squares.places(image)) for image in pair.images) + _CHECKS
    told = _Count(progress, total)
    maps = [
        occlusion_map(
            pair.encoder,
            image,
            other=pair.embeddings[1 - at],
            similarity=pair.similarity,
            squares=squares,
            fill=fill,
            told=told,
        )
        for at, image in enumerate(pair.images)
    ]
    return Explanation(
        pair.encoder.encoder_id,
        "occlusion",
        pair.similarity,
        pair.checked(maps, fill, told),
        squares=squares,
        fill=fill,
        passed_over=passed_over,
    )
