"""The maps of an encoder: made, written, recorded by name, made again when the neighbors are others.

Owns the files and what is recorded of them. How a map is laid out is the business of the modules beside this one.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.layout import STANDARD_MAP
from radcbir_core.errors import StaleError
from radcbir_core.progress import Progress, silent
from radcbir_core.projection.map_options import MapOptions
from radcbir_core.projection.projecting import project
from radcbir_core.storage import atomic_path, digest_file, disk_errors

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection
    from radcbir_core.collections.encoder_data.store import EncoderStore

_AXES = ("x", "y", "z")


def laying_out(name: str) -> str:
    """What whoever makes a map does, for ``Collection.building``."""
    return f"laying out the map {name}"


def make_map(
    store: EncoderStore,
    name: str = STANDARD_MAP,
    *,
    options: MapOptions | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make a map of an encoder's neighbor graph, and keep it by its name; one of that name is replaced.

    Whoever calls it holds the lock of the encoder (``Collection.building``).

    Args:
        store: With its neighbor graph.
        name: Of the map. Any number of them are kept; a build makes and renews the one called ``"standard"``, and
            renews the others.
        options: How; by default as in :func:`project_store`.
        progress: As in :func:`project_store`.

    Returns:
        What was recorded of it, as in :func:`project_store`.

    Raises:
        StaleError: The neighbors are missing, or of other images than there are now.
        CollectionError: It cannot be a map's name, or the neighbor graph is damaged.
        StorageError: No space left, or no permission.
    """
    check_neighbors(store)
    facts = project_store(store, name, options=options, progress=progress)
    store.mark_map(name, **facts)
    return facts


def check_neighbors(store: EncoderStore) -> None:
    """Make sure that there are neighbors of which a map can be made; reads none of them.

    Raises:
        StaleError: They are missing, or of other images than there are now.
    """
    if not store.is_current(NEIGHBORS):
        standing = store.standings()[NEIGHBORS.name]
        raise StaleError(
            f"Expected the neighbors of the images that {store.collection.name} has now, but those by "
            f"{store.encoder_id} are {standing.state}: {standing.reason}. Build {store.collection.name} with "
            f"{store.encoder_id}.",
            remedy=store.rebuild,
        )


def delete_map(collection: Collection, encoder_id: str, name: str) -> None:
    """Delete a map that was made on request.

    Args:
        collection: Which.
        encoder_id: Whose map.
        name: Of the map.

    Raises:
        CollectionError: There is none of this name, it is the one that every build makes, or somebody builds with the
            encoder.
        StorageError: No permission.
    """
    with collection.building(encoder_id, doing=f"deleting the map {name}"):
        collection.store(encoder_id).forget_map(name)


def renew_maps(store: EncoderStore, *, progress: Progress = silent) -> list[str]:
    """Make those maps again that were made on request and are not current, or damaged, as they were laid out.

    Args:
        store: With its neighbor graph.
        progress: As in :func:`project_store`.

    Returns:
        Their names.

    Raises:
        CollectionError: The neighbor graph is missing or damaged.
        StorageError: No space left, or no permission.
    """
    renewed = [name for name in store.maps() if name != STANDARD_MAP and store.map_fault(name)]
    for name in renewed:
        make_map(store, name, progress=progress)
    return renewed


def project_store(
    store: EncoderStore,
    name: str = STANDARD_MAP,
    *,
    options: MapOptions | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Make a map of an encoder's neighbor graph and write it: columns x, y, z in three dimensions, preservation.

    Args:
        store: With its neighbor graph.
        name: Of the map.
        options: How; by default as the map was laid out that is there, and else as
            :class:`~radcbir_core.projection.map_options.MapOptions` says.
        progress: Told the epochs, as step "projection"; it may stop the work by raising.

    Returns:
        What made the map, to be recorded: the options, the version of umap-learn (``umap``), what the layout started
        from (``start``), of how many images it was computed at first (``drawn``), and ``preservation``, the mean over
        the images on the map (None without any).

    Raises:
        StorageError: No space left, or no permission.
        CollectionError: The neighbor graph is missing or damaged.
    """
    options = options or MapOptions.from_json(store.map_facts(name))
    ids = store.neighbor_ids
    # Labels decide which images come first, where not all do; the map of a collection that is no larger needs none.
    labels = store.collection.manifest.labels("label").codes if len(ids) > options.most_drawn else None
    made = project(ids, store.neighbor_similarities, options=options, labels=labels, progress=progress)
    axes = dict(zip(_AXES, made.coordinates.T, strict=False))
    path = store.layout.map(name)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    placed = made.preservation[~np.isnan(made.preservation)]
    facts = {
        **options.to_json(),
        "umap": version("umap-learn"),
        "start": made.start,
        "drawn": int(made.drawn.sum()),
        "preservation": round(float(placed.mean()), 4) if placed.size else None,
    }
    with atomic_path(path) as partial:
        pd.DataFrame({**axes, "preservation": made.preservation}).to_parquet(partial, index=False)
        if name != STANDARD_MAP:
            store.announce_map(name, digest_file(partial), **facts)
    return facts
