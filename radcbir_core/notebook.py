"""What a notebook does in one call: import, build, compare.

Owns nothing but the short way: each function here is the long one of its module with the arguments that a person has at
hand, and what it returns shows itself in a notebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.encoder_data.store import IMPORTED
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.evaluation import Result, evaluate
from radcbir_core.importers import ImportReport, ImportRequest, import_as
from radcbir_core.pipeline import BuildReport, build_collection, build_imported
from radcbir_core.progress import Progress, silent
from radcbir_core.tiling import check_tiles


def import_images(
    source: str | Path | Sequence[str | Path],
    *,
    name: str,
    format: str | None = None,  # noqa: A002 - what the command and the documents call it
    progress: Progress = silent,
    **options: Any,
) -> ImportReport:
    """Make a collection of the images in a folder, or of a table that names them.

    Args:
        source: A folder, a table, or several.
        name: The new collection's name.
        format: Of :data:`~radcbir_core.importers.formats.FORMATS`; found out by default.
        progress: Told how far it is.
        **options: Further attributes of :class:`~radcbir_core.importers.request.ImportRequest`, such as
            ``modality="CT"`` or ``image_root=FOLDER``.

    Raises:
        ManifestError: The source cannot be read as a table of images, or has none that can be used.
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    paths = [source] if isinstance(source, str | Path) else list(source)
    if options.get("image_root") is not None:
        options["image_root"] = Path(options["image_root"])
    request = ImportRequest([Path(path) for path in paths], name, **options)
    return import_as(request, format_name=format, progress=progress)


def build(
    collection: Collection | str,
    encoder: Encoder | str,
    *,
    tiles: bool = False,
    device: str = "auto",
    progress: Progress = silent,
) -> BuildReport:
    """Compute all that an encoder computes for a collection; whatever is current is left as it is.

    Args:
        collection: Whose images, or its name.
        encoder: With which encoder, or its name or specification.
        tiles: Whether regions of each image are embedded, too, so that ``search(…, regions=True)`` finds them.
        device: Where a named encoder computes: auto, cpu, cuda, cuda:1 or mps.
        progress: Told how far each artifact is, by its name.

    Raises:
        CollectionError: No such collection, another process is building it, no image could be embedded; or regions are
            asked for that cannot be made.
        EncoderError: The encoder cannot be loaded.
        StorageError: No space left, or no permission.
    """
    chosen = open_collection(collection) if isinstance(collection, str) else collection
    if isinstance(encoder, str):
        imported = encoder.removeprefix(IMPORTED)
        if imported in chosen.encoder_ids() and chosen.store(imported).imported:
            if tiles:
                check_tiles(chosen.store(imported))
            return build_imported(chosen, imported, progress=progress)
        encoder = load_encoder(encoder, device=device)
    return build_collection(chosen, encoder, tiles=tiles, progress=progress)


def compare(
    collection: Collection, first: str, second: str = "chance", *, progress: Progress = silent, **choices: Any
) -> Result:
    """What the second encoder gains or loses against the first, query by query, with intervals.

    Args:
        collection: An open collection.
        first: The encoder_id of one that it was built with.
        second: Of another, or ``"chance"``: images drawn at random.
        progress: Told how far it is.
        **choices: Of the protocol, such as ``protocol="split"`` or ``exclude=["patient"]``.

    Raises:
        EvaluationError: They are the same, or the collection lacks what the protocol needs.
        CollectionError: The collection has no such encoder.
        StaleError: What it needs is missing or was made of something else.
    """
    return evaluate(collection, first, "comparison", versus=second, progress=progress, **choices)
