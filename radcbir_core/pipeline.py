"""Everything that one encoder computes for one collection, in order, each artifact only when it is needed.

Owns the makers of the artifacts, one for each line of the table in ``collections/artifacts.py``, and the rule that an
artifact is left as it is while it is current. What they make lives in modules of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from radcbir_core.collections.artifacts import (
    ARTIFACTS,
    EMBEDDINGS,
    EVALUATION,
    INDEX,
    NEAR_DUPLICATES,
    NEIGHBORS,
    PROJECTION,
    TILES,
    Artifact,
)
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.embed import embed, is_current, mend_thumbnails
from radcbir_core.encoders import Encoder
from radcbir_core.errors import Remedy, StaleError
from radcbir_core.evaluation.ahead import evaluate_ahead
from radcbir_core.evaluation.baseline import keep_comparisons
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.near_duplicates.finding import find_near_duplicates
from radcbir_core.notebook_html import facts
from radcbir_core.progress import Progress, silent
from radcbir_core.projection.map_making import project_store, renew_maps
from radcbir_core.search.backend import Recall
from radcbir_core.search.neighbors.graph import build_neighbors
from radcbir_core.search.opening import build_index, is_outgrown, vectors_of
from radcbir_core.storage import remove_partials
from radcbir_core.tiling import EMBEDDING, check_tiles, make_tiles, refuse_too_many
from radcbir_core.wording import counted


@dataclass(slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        seconds: Artifact → how long it took to make; one that was current already is not in it.
        images: Images with an embedding.
        failed: Images without one; they are listed in problems.csv.
        recall: Of the index against exact search; not measured for fewer than two images.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    images: int = 0
    failed: int = 0
    recall: Recall = field(default_factory=Recall)

    def _repr_html_(self) -> str:
        """How long each artifact took, as a notebook shows it."""
        rows = {artifact: f"{seconds:.1f} s" for artifact, seconds in self.seconds.items()}
        title = f"Built: {counted(self.images, 'image')}, {self.failed:,} failed"
        return facts(rows or {"artifacts": "all were current"}, title=title)


def build_collection(
    collection: Collection,
    encoder: Encoder,
    *,
    tiles: bool = False,
    workers: int | None = None,
    progress: Progress = silent,
) -> BuildReport:
    """Embed, index, find neighbors and near-duplicates, evaluate and project; whatever is current is left as it is.

    Can be stopped at any time and called again: it goes on where it stopped.

    Args:
        collection: Whose images.
        encoder: With which encoder.
        tiles: Whether regions of each image are embedded, too, so that they can be found; they are in any case where
            somebody has asked for them before.
        workers: Decoding threads; one a CPU core by default.
        progress: Told how far each of :data:`~radcbir_core.collections.artifacts.ARTIFACTS` is, by its name; before, as
            step ``"wait"``, that it waits for a map of this encoder that another process lays out.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Another process is building the same, no image could be embedded, or there are too many for
            their regions.
    """
    report = BuildReport()
    if tiles:
        refuse_too_many(collection, encoder.dimension)
    with collection.building(encoder.encoder_id, progress=progress):
        remove_partials(collection.encoder_folder(encoder.encoder_id))
        if encoder.encoder_id in collection.encoder_ids():
            collection.store(encoder.encoder_id).distrust()
        if not is_current(collection, encoder):
            _timed(report, EMBEDDINGS.name, partial(embed, collection, encoder, workers=workers, progress=progress))
        mend_thumbnails(collection, workers=workers)
        store = collection.store(encoder.encoder_id)
        _complete(store, report, progress)
        if tiles or TILES in store.expected:
            _tiles(store, encoder, report, workers=workers, progress=progress)
    return report


def build_tiles(
    collection: Collection, encoder: Encoder, *, workers: int | None = None, progress: Progress = silent
) -> BuildReport:
    """Embed regions of each image, of a collection that is built; where they are current they are left as they are.

    Args:
        collection: Whose images.
        encoder: The very one that its embeddings were made with.
        workers: Decoding threads; one a CPU core by default.
        progress: Told the number of images, as step "tiles".

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Another process builds with the encoder; it has no embeddings of the collection, or imported
            ones; there are too many images, or not one can be read.
        StaleError: The embeddings are of other images, or made by another version of the encoder.
    """
    report = BuildReport()
    with collection.building(encoder.encoder_id, doing=EMBEDDING):
        store = collection.store(encoder.encoder_id)
        _tiles(store, encoder, report, workers=workers, progress=progress)
    report.images, report.failed = int(store.valid.sum()), int((~store.valid).sum())
    return report


def build_imported(collection: Collection, encoder_id: str, *, progress: Progress = silent) -> BuildReport:
    """As :func:`build`, for embeddings that were imported: everything but the embeddings themselves.

    Args:
        collection: Whose embeddings.
        encoder_id: What they were imported as.
        progress: Told how far each artifact is, by its name.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Another process is building the same, or the embeddings are damaged.
        StaleError: The collection has grown since these embeddings were imported.
    """
    report = BuildReport()
    with collection.building(encoder_id, progress=progress):
        remove_partials(collection.encoder_folder(encoder_id))
        store = collection.store(encoder_id)
        store.distrust()
        if not store.is_current(EMBEDDINGS):
            raise StaleError(
                f"Expected embeddings of all images that {collection.name} has now, but those of {encoder_id} were "
                "imported before. Import them again with the vectors of the new images.",
                remedy=Remedy(
                    "import", options={"format": "embeddings", "name": collection.name, "encoder_id": encoder_id}
                ),
            )
        vectors_of(store)  # which refuses damaged ones: these cannot be made again here
        _complete(store, report, progress)
    return report


def build_indexes(collection: Collection, *, progress: Progress = silent) -> list[str]:
    """Build the index of every encoder whose embeddings are current and whose index must not be opened.

    So it is where a collection comes from an archive or from another machine: an index is trusted only where it was
    built.

    Args:
        collection: Which.
        progress: Told the number of images, as step "index", of one encoder after the other.

    Returns:
        The encoders whose index was built.

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: Another process is building the same, or embeddings are damaged.
    """
    built = []
    for encoder_id in collection.encoder_ids():
        with collection.building(encoder_id, progress=progress):
            store = collection.store(encoder_id)
            store.distrust()
            if store.is_current(EMBEDDINGS) and not (store.is_current(INDEX) and store.is_whole(INDEX)):
                build_index(store, progress=progress)
                built.append(encoder_id)
    return built


def _tiles(
    store: EncoderStore, encoder: Encoder, report: BuildReport, *, workers: int | None, progress: Progress
) -> None:
    check_tiles(store)
    if not _is_made(store, TILES):
        _timed(report, TILES.name, partial(make_tiles, store, encoder, workers=workers, progress=progress))
        store.settle()
    else:
        store.remove_remains(TILES)


def _timed(report: BuildReport, artifact: str, work: Callable[[], object]) -> None:
    started = time.monotonic()
    work()
    report.seconds[artifact] = time.monotonic() - started


def _complete(store: EncoderStore, report: BuildReport, progress: Progress) -> None:
    """All that is made of the embeddings, each artifact after what it is made of; what is damaged is made again."""
    for artifact in ARTIFACTS:
        if artifact.name in MAKERS and not _is_made(store, artifact):
            _timed(report, artifact.name, partial(MAKERS[artifact.name], store, progress))
        if store.is_current(artifact):
            # Of a process that was killed when the artifact was recorded, and its parts not yet removed.
            store.remove_remains(artifact)
    renew_maps(store, progress=progress)
    store.settle()
    report.images, report.failed = int(store.valid.sum()), int((~store.valid).sum())
    report.recall = Recall.of_facts(store.facts(INDEX))


def _is_made(store: EncoderStore, artifact: Artifact) -> bool:
    if artifact == INDEX and is_outgrown(store):
        return False
    return store.is_current(artifact) and store.is_whole(artifact)


def _index(store: EncoderStore, progress: Progress) -> None:
    build_index(store, progress=progress)


def _neighbors(store: EncoderStore, progress: Progress) -> None:
    store.mark(NEIGHBORS, **build_neighbors(store, progress=progress))


def _near_duplicates(store: EncoderStore, progress: Progress) -> None:
    store.mark(NEAR_DUPLICATES, **find_near_duplicates(store, progress=progress))


def _evaluation(store: EncoderStore, progress: Progress) -> None:
    Precision().suited(store).run(store, progress=progress, surely_kept=True)
    keep_comparisons(store, progress=progress)
    evaluate_ahead(store, progress=progress)
    store.mark(EVALUATION)


def _projection(store: EncoderStore, progress: Progress) -> None:
    store.mark(PROJECTION, **project_store(store, progress=progress))


MAKERS: Final[Mapping[str, Callable[[EncoderStore, Progress], None]]] = {
    INDEX.name: _index,
    NEIGHBORS.name: _neighbors,
    NEAR_DUPLICATES.name: _near_duplicates,
    EVALUATION.name: _evaluation,
    PROJECTION.name: _projection,
}
"""What makes each artifact, but for the embeddings: these need the encoder, or were imported."""
