"""What can be searched with: images of the collection, images from outside, sentences, vectors.

Owns the union of the kinds of query. A kind says three things: what vectors it becomes, what it may not return, and
what the number beside its hits means. A further kind is one more class here, and nothing that searches or shows hits
has to know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import check_exclusions
from radcbir_core.encoders import Encoder
from radcbir_core.errors import QueryError
from radcbir_core.images import DecodedImage, decode_image
from radcbir_core.search.backend import Exclusion, Float32, unit
from radcbir_core.search.engines.searcher import Searcher
from radcbir_core.search.exclusions import FileOfImage, exclusions_of, exclusions_of_file
from radcbir_core.search.queries.text import check_text_tower, cleaned_text, notes_on, part_read

Measure = Literal["similarity", "text_similarity", "composed_similarity"]
"""What a number beside a hit is: the cosine between two images, between a sentence and an image, or between the sum of
several queries and an image. They are never on one scale: an image is closer to almost any other image than to a
sentence that describes it."""

MEASURES: Final[dict[Measure, str]] = {
    "similarity": "similarity",
    "text_similarity": "text-image cosine",
    "composed_similarity": "cosine with the composed query",
}
"""What people call it."""

Known = Literal["always", "if in the collection", "never"]
"""When a query's patient, study, series and exact copies are known, so that they can be left out."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a query is turned into vectors with.

    Attributes:
        store: What an encoder made of the collection that is searched.
        searcher: The search over it.
        encoder: Gives that very encoder, loaded when it is first asked for.
        middle: Gives the middle of the sentences that the collection's labels make, ``(D,)``; None without labels.
        made: Queries with the vectors that these means have made of them before.
    """

    store: EncoderStore
    searcher: Searcher
    encoder: Callable[[], Encoder]
    middle: Callable[[], Float32 | None]
    made: Sequence[EmbeddedQuery] = ()

    def embedded(self, query: Query) -> EmbeddedQuery:
        """A query with its vectors: as they were made before, of this very object, or made now.

        Raises:
            QueryError: As :meth:`Query.embed`, and all its further errors.
        """
        return next((one for one in self.made if one.query is query), None) or query.embed(self)


@runtime_checkable
class Query(Protocol):
    """A kind of query. It may stand for several at once, whose hits are then found together."""

    @property
    def measure(self) -> Measure:
        """What the numbers beside its hits are."""

    @property
    def known(self) -> Known:
        """When it is known what ``exclude`` names."""

    def embed(self, means: Means) -> EmbeddedQuery:
        """Its vectors, and what to know of them.

        Raises:
            QueryError: It cannot be searched with.
            EncoderError: The encoder cannot read it, or cannot be loaded here.
            StaleError: The encoder here is not the one that the embeddings were made with.
        """

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """What it may not return.

        Raises:
            QueryError: An unknown exclusion, or one that means nothing for such a query.
        """


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query and its vectors: what there is to search with again, without the encoder.

    Attributes:
        query: What was asked.
        vectors: ``(Q, D)`` float32, unit norm.
        notes: What to know about how it was read, a sentence each; mostly none.
        of_region: ``(Q, D)`` how much of the vectors is a region of an image: among regions of the gallery this is
            compared with each of them, and the rest with whole images. None where nothing is: then all of it is
            compared with regions.
    """

    query: Query
    vectors: Float32
    notes: tuple[str, ...] = ()
    of_region: Float32 | None = field(default=None, kw_only=True)


def of_region_and_rest(embedded: EmbeddedQuery) -> tuple[Float32, Float32 | None]:
    """What of a query is compared with regions of the gallery, and what with whole images; the two add up to it.

    Example:
        >>> vectors = np.float32([[0.6, 0.8]])
        >>> of_region_and_rest(EmbeddedQuery(VectorQuery(vectors), vectors))[1] is None
        True
        >>> part, rest = of_region_and_rest(EmbeddedQuery(VectorQuery(vectors), vectors, of_region=vectors / 2))
        >>> rest.tolist()
        [[0.30000001192092896, 0.4000000059604645]]
    """
    if embedded.of_region is None:
        return embedded.vectors, None
    rest = embedded.vectors - embedded.of_region
    return embedded.of_region, rest if np.abs(rest).max(initial=0.0) > 1e-6 else None


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Images of the collection, by row; none returns itself.

    Attributes:
        rows: One or more.
    """

    rows: tuple[int, ...]
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="always", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:
        """Their embeddings, as they are kept."""
        chosen = np.asarray(self.rows, dtype=np.intp)
        total = len(means.store.collection)
        if len(wrong := chosen[(chosen < 0) | (chosen >= total)]):
            raise QueryError(f"Expected rows from 0 to {total - 1}, but row = {wrong[0]}. Choose another image.")
        failed = chosen[~means.store.valid[chosen]]
        if len(failed):
            image_id = means.store.collection.manifest.image_id(int(failed[0]))
            raise QueryError(
                f"Expected an image with an embedding, but image_id = {image_id!r} could not be embedded. "
                "See problems.csv for the reason, and choose another image."
            )
        return EmbeddedQuery(self, means.searcher.queries_of(chosen))

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """Themselves, and what shares their patient, study, series or bytes."""
        return exclusions_of(store, np.asarray(self.rows, dtype=np.intp), exclude)


@dataclass(frozen=True, slots=True, eq=False)
class ImageQuery:
    """An image from outside the collection.

    Attributes:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, as an image is decoded.
        sha256: Of its file, by which it is known if it is in the collection after all; "" where there is none.
        frame: Which of the file's frames or slices it is, from 0; None of a file with one.
        frames: How many the file has.
    """

    pixels: npt.NDArray[np.uint8]
    sha256: str = ""
    frame: int | None = None
    frames: int = 1
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="if in the collection", init=False)

    @classmethod
    def of_file(cls, path: Path, *, frame: int | None = None) -> ImageQuery:
        """An image file.

        Raises:
            QueryError: It is not there.
            ImageError: It cannot be decoded.
        """
        if not path.is_file():
            raise QueryError(f"Expected an image file, but {path} does not exist. Check the path.")
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        return cls.of_decoded(decode_image(path, frame=frame), sha256)

    @classmethod
    def of_bytes(cls, data: bytes, *, name: str = "", frame: int | None = None) -> ImageQuery:
        """The bytes of an image file.

        Raises:
            ImageError: They cannot be decoded.
        """
        return cls.of_decoded(decode_image(data, name=name, frame=frame), hashlib.sha256(data).hexdigest())

    @classmethod
    def of_decoded(cls, image: DecodedImage, sha256: str) -> ImageQuery:
        """A decoded image of a file of which the digest is known."""
        return cls(image.pixels, sha256, image.frame, image.frames)

    @property
    def file(self) -> FileOfImage:
        """Where it comes from."""
        return FileOfImage(self.sha256, self.frame, self.frames)

    def embed(self, means: Means) -> EmbeddedQuery:
        """What the encoder makes of it."""
        embedding = means.encoder().encode_images([self.pixels])
        return EmbeddedQuery(self, unit(embedding, dimension=means.searcher.dimension))

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """What its file tells, if the collection has it."""
        return exclusions_of_file(store, self.file, exclude, queries=1)


@dataclass(frozen=True, slots=True, eq=False)
class ChangedQuery:
    """An image that was changed before it is searched with; what may not be returned is what its original may not.

    Attributes:
        pixels: ``(H, W)`` or ``(H, W, 3)`` uint8, after the change.
        original: The image as it was, one of the collection or from outside.
        measure: As that of the original.
    """

    pixels: npt.NDArray[np.uint8]
    original: RowQuery | ImageQuery
    measure: Measure = field(default="similarity", init=False)

    @property
    def known(self) -> Known:
        """As of the original."""
        return self.original.known

    def embed(self, means: Means) -> EmbeddedQuery:
        """What the encoder makes of the changed image."""
        return EmbeddedQuery(self, ImageQuery(self.pixels).embed(means).vectors)

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """Those of the original, itself among them."""
        return self.original.exclusions(store, exclude)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A sentence; English for most encoders."""

    text: str
    measure: Measure = field(default="text_similarity", init=False)
    known: Known = field(default="never", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:
        """What the encoder's text tower makes of it; ``notes`` say what it does not read."""
        check_text_tower(means.store)
        sentence = cleaned_text(self.text)  # what is wrong with it is said before the weights are loaded
        encoder = means.encoder()
        notes = notes_on(encoder, sentence, part_read(encoder, sentence))
        embedding = encoder.encode_texts([sentence])
        return EmbeddedQuery(self, unit(embedding, dimension=means.searcher.dimension), notes)

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:  # noqa: ARG002
        """Nothing: a sentence has no patient or file."""
        if names := check_exclusions(exclude):
            raise QueryError(
                f"Expected no exclusions with a text, but exclude = {', '.join(names)}. "
                "A text has no patient or file to leave out: search without, or with an image."
            )
        return []


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """Vectors that the collection's encoder made somewhere else, of images that are not in the collection.

    Attributes:
        vectors: ``(Q, D)`` or ``(D,)``.
    """

    vectors: npt.NDArray[np.floating[Any]]
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="never", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:
        """The vectors, given length 1."""
        return EmbeddedQuery(self, unit(self.vectors, dimension=means.searcher.dimension))

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:  # noqa: ARG002
        """Nothing: nobody knows whose they are."""
        if names := check_exclusions(exclude):
            raise QueryError(
                f"Expected no exclusions with vectors, but exclude = {', '.join(names)}. "
                "Vectors have no patient or file to leave out: search without, or with an image."
            )
        return []


Asked = Query | int | str | Path | bytes | npt.NDArray[np.uint8] | Sequence[int]
"""What stands for a query where it is plain which kind is meant, see :func:`query_of`."""


def query_of(asked: Asked, collection: Collection) -> Query:
    """The query that something plain stands for.

    Args:
        asked: A row, or several; an image_id; a path to an image file, its bytes, or pixels; or a query. A sentence is
            none of these: it is a :class:`TextQuery`.
        collection: Which has the rows and the image_ids.

    Raises:
        ImageNotFoundError: The collection has no image of that image_id.
        QueryError: It stands for no query.
        ImageError: The file or the bytes cannot be decoded.
    """
    if isinstance(asked, Query):
        return asked
    if isinstance(asked, str):
        return RowQuery((collection.manifest.row_of(asked),))
    if isinstance(asked, Path):
        return ImageQuery.of_file(asked)
    if isinstance(asked, bytes):
        return ImageQuery.of_bytes(asked)
    if isinstance(asked, np.ndarray) and asked.dtype == np.uint8:
        return ImageQuery(asked)
    rows = np.atleast_1d(np.asarray(asked))
    if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
        raise QueryError(
            "Expected a row, an image_id, a path, the bytes of an image file, pixels of 8 bits, or a query, but it is "
            f"{type(asked).__name__}. For a sentence use TextQuery, for vectors VectorQuery."
        )
    return RowQuery(tuple(rows.tolist()))
