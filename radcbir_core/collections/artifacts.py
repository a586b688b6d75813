"""What is built of a collection with an encoder: one table, and all that follows from it.

Owns :data:`ARTIFACTS`, which names everything that is built, its files and what it is made of, and the rules by which
an artifact is current, missing or stale. The order of a build, the states on every page, the members of an archive, the
sizes on disk, the words of progress bars and what the doctor looks at are read from this table; a further artifact is a
line in it, and a maker in ``pipeline.py``. Touches no file.

An artifact records what it was made of: a digest for each thing that its line names, and the version of the recipe.
Digests identify content, so that what is made again with the same bytes leaves everything behind it current. Labels are
a thing of their own: a corrected label makes stale what was made of labels, and never embeddings, graph or map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

State = Literal["current", "missing", "stale"]

SOURCES: Final[Mapping[str, str]] = {
    "images": "the collection has other images now",
    "labels": "labels have changed since",
    "encoder": "the encoder is another version now",
}
"""What is not built and yet things are made of, and what it means that it has changed."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that is built and kept.

    Attributes:
        name: In records, in progress and in the commands' output.
        of: What it is made of: of :data:`SOURCES`, or artifacts that stand before it in the table.
        title: What people call it.
        stage: What making it is called, for people.
        files: The files it consists of, in the encoder's folder; it is there when all of them are.
        one_of: Files of which it consists of one, instead: the one that is told of it, of which nothing is told the
            first. Which one another build makes does not touch it before it is told.
        folder: The folder it consists of, instead of files: tables (parquet) and notes (JSON), kept one by one.
        numbers: Of the files, the arrays ``(N, …)`` of floating-point numbers whose rows are the manifest's.
        gaps: Of the numbers, the arrays of similarities; NaN stands where there is none.
        rows: Of the files, the arrays ``(N, …)`` of row numbers whose rows are the manifest's; -1 is padding.
        groups: Of the files, the arrays ``(N,)`` of codes of groups; -1 is an image in none.
        unfinished: The folder of its finished parts while it is being made.
        further: The folder of further ones of its kind, tables (parquet) made on request and kept by a name.
        on_request: Whether a build makes it only where somebody has made it before: then it makes it again.
        counts_images: Whether its progress counts images; others count steps of their own.
        recipe: The version of how it is made, to be raised when its numbers change: those of before are stale then.
        still_read: Earlier versions that do not make it stale, because what changed is not worth hours of making it
            again; it is said where somebody asks (``doctor``).
    """

    name: str
    of: tuple[str, ...]
    title: str
    stage: str
    files: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    folder: str = ""
    numbers: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    unfinished: str = ""
    further: str = ""
    on_request: bool = False
    counts_images: bool = False
    recipe: int = 1
    still_read: tuple[int, ...] = ()

    @property
    def arrays(self) -> tuple[str, ...]:
        """Of the files, all that hold an array whose rows are the manifest's."""
        return (*self.numbers, *self.rows, *self.groups)

    def files_told(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        """The files it consists of.

        Args:
            told: What is recorded of it; ``file`` is one of its names, if it has several.

        Example:
            >>> INDEX.files_told({}), INDEX.files_told({"file": "index.cells"})
            (('index.usearch',), ('index.cells',))
            >>> INDEX.files_told({"file": "../../record"})
            ('index.usearch',)
        """
        if not self.one_of:
            return self.files
        return (told["file"],) if told.get("file") in self.one_of else self.one_of[:1]


ARTIFACTS: Final[tuple[Artifact, ...]] = (
    Artifact(
        "embeddings",
        files=("embeddings.npy",),
        of=("images", "encoder"),
        title="embeddings",
        stage="Compute embeddings and thumbnails",
        numbers=("embeddings.npy",),
        unfinished="shards",
        counts_images=True,
    ),
    Artifact(
        "index",
        one_of=("index.usearch", "index.cells"),
        of=("embeddings",),
        title="index",
        stage="Index them",
        unfinished="index-parts",
        counts_images=True,
        recipe=2,
        # The first asked USearch as widely whatever was found so, and for however many images: its recall is recorded.
        still_read=(1,),
    ),
    Artifact(
        "neighbors",
        files=("neighbor_ids.npy", "neighbor_similarities.npy"),
        of=("embeddings",),
        title="neighbors",
        stage="Find each image's neighbors",
        rows=("neighbor_ids.npy",),
        numbers=("neighbor_similarities.npy",),
        gaps=("neighbor_similarities.npy",),
        unfinished="neighbors",
        counts_images=True,
        recipe=4,
        # The first took half-precision vectors for as long as rounding left them, some 10⁻⁴ of a cosine; the second
        # asked the index from 50,000 images on, which misses some; the third, from 200,000 on, did not read on where
        # descent had settled. Recall is recorded, and said.
        still_read=(1, 2, 3),
    ),
    Artifact(
        "near-duplicates",
        files=("near_duplicate_groups.npy",),
        of=("images", "neighbors"),
        title="near-duplicates",
        stage="Find other files of the same picture",
        groups=("near_duplicate_groups.npy",),
        unfinished="near-duplicates",
        counts_images=True,
    ),
    Artifact(
        "evaluation",
        folder="evaluation",
        of=("neighbors", "near-duplicates", "labels"),
        title="evaluation",
        stage="Evaluate",
        recipe=8,  # that of the P@k which a build makes
    ),
    Artifact(
        "projection",
        files=("projection.parquet",),
        of=("neighbors",),
        title="map",
        stage="Lay out the map",
        further="maps",
        recipe=2,
        still_read=(1,),  # of all images at once, however many: as good, where it was made at all
    ),
    Artifact(
        "tiles",
        files=("tile_embeddings.npy",),
        of=("images", "encoder"),
        title="regions",
        stage="Embed regions of each image",
        numbers=("tile_embeddings.npy",),
        unfinished="tile-shards",
        on_request=True,
        counts_images=True,
    ),
)
"""Everything that is built, each behind what it is made of; a build makes them in this order."""


def check_table(artifacts: Iterable[Artifact]) -> dict[str, Artifact]:
    """The artifacts by name, if each is made of sources and of artifacts before it.

    Raises:
        ValueError: A name that stands there twice, or something made of what is not there yet.

    Example:
        >>> list(check_table([Artifact("a", of=("images",), title="a", stage="Make a", files=("a.npy",))]))
        ['a']
        >>> check_table([Artifact("b", of=("a",), title="b", stage="Make b", files=("b.npy",))])
        Traceback (most recent call last):
            ...
        ValueError: Expected artifacts made of what stands before them, but 'b' is made of 'a'.
    """
    named: dict[str, Artifact] = {}
    for artifact in artifacts:
        unknown = [name for name in artifact.of if name not in SOURCES and name not in named]
        if unknown:
            raise ValueError(
                f"Expected artifacts made of what stands before them, but {artifact.name!r} is made of {unknown[0]!r}."
            )
        if artifact.name in named or artifact.name in SOURCES:
            raise ValueError(f"Expected names that differ, but {artifact.name!r} stands there twice.")
        named[artifact.name] = artifact
    return named


BY_NAME: Final = check_table(ARTIFACTS)
ARTIFACT_NAMES: Final = tuple(artifact.name for artifact in ARTIFACTS if not artifact.on_request)
"""Those that every build makes; what is made on request stands beside them once somebody has asked for it."""

EMBEDDINGS: Final = BY_NAME["embeddings"]
INDEX: Final = BY_NAME["index"]
NEIGHBORS: Final = BY_NAME["neighbors"]
NEAR_DUPLICATES: Final = BY_NAME["near-duplicates"]
EVALUATION: Final = BY_NAME["evaluation"]
PROJECTION: Final = BY_NAME["projection"]
TILES: Final = BY_NAME["tiles"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an artifact stands.

    Attributes:
        state: ``stale`` means that it is there but was made of something else than there is now, or in another way.
        reason: Why it is not current, as one says it after "because"; empty where it is.
    """

    state: State
    reason: str = ""


def made_record(artifact: Artifact, *, of: Mapping[str, str], digest: str) -> dict[str, Any]:
    """What is recorded of an artifact that has just been made.

    Args:
        artifact: Which.
        of: What it was made of: the digest of each thing that its line names.
        digest: Of its own content; "" for a folder, of which nothing is made.
    """
    return {"recipe": artifact.recipe, "of": {name: of[name] for name in artifact.of}, "digest": digest}


def digest_in(records: Mapping[str, Any], name: str) -> str:
    """The digest that is recorded of an artifact's content; "" where nothing is."""
    record = records.get(name)
    return str(record.get("digest", "")) if isinstance(record, Mapping) else ""


def standings(
    records: Mapping[str, Any], *, sources: Mapping[str, str], missing: Callable[[Artifact], str]
) -> dict[str, Standing]:
    """How each artifact stands.

    An artifact is current if its files are there, it was made by the recipe of today, or one that is still read, and of
    what there is now, and the same is true of the artifacts that it was made of. Whether *their* files are still there
    does not matter to it.

    Args:
        records: Artifact → what :func:`made_record` gave.
        sources: Each of :data:`SOURCES` → its digest now.
        missing: Artifact → the name of what is not there of it; "" where all of it is.

    Example:
        >>> now = {"images": "i", "labels": "l", "encoder": "e"}
        >>> made = {"embeddings": made_record(EMBEDDINGS, of=now, digest="d")}
        >>> standing = standings(made, sources=now, missing=lambda artifact: "")
        >>> standing["embeddings"].state, standing["index"].state
        ('current', 'missing')
        >>> standings(made, sources=now | {"images": "others"}, missing=lambda artifact: "")["embeddings"]
        Standing(state='stale', reason='the collection has other images now')
    """
    states: dict[str, Standing] = {}
    faults: dict[str, str] = {}
    for artifact in ARTIFACTS:
        record = records.get(artifact.name)
        if not isinstance(record, Mapping):
            states[artifact.name] = Standing("missing", "not made yet")
            faults[artifact.name] = "not made yet"
            continue
        faults[artifact.name] = _fault(artifact, record, records, sources=sources, faults=faults)
        if absent := missing(artifact):
            states[artifact.name] = Standing("missing", f"{absent} is not there")
        elif faults[artifact.name]:
            states[artifact.name] = Standing("stale", faults[artifact.name])
        else:
            states[artifact.name] = Standing("current")
    return states


def _fault(
    artifact: Artifact,
    record: Mapping[str, Any],
    records: Mapping[str, Any],
    *,
    sources: Mapping[str, str],
    faults: Mapping[str, str],
) -> str:
    """Why what is recorded of an artifact is not true any more; "" where it is."""
    made_of = record.get("of")
    made_of = made_of if isinstance(made_of, Mapping) else {}
    for name in artifact.of:
        if name in SOURCES:
            if made_of.get(name) != sources[name]:
                return SOURCES[name]
        elif faults[name]:
            return f"made of {BY_NAME[name].title} that are not current: {faults[name]}"
        elif made_of.get(name) != digest_in(records, name):
            return f"{BY_NAME[name].title} were made again since, and are others"
    if record.get("recipe") not in (artifact.recipe, *artifact.still_read):
        return f"made by version {record.get('recipe')!r} of its recipe, which is {artifact.recipe} now"
    return ""
