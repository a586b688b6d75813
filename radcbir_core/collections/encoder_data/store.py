"""What one encoder has made of one collection.

Owns the reading of what lies in an encoder's folder, and its record: what each artifact was made of, and so how it
stands. Computes nothing; the modules that make an artifact ask here for its path. Files are not believed: an array is
opened if it has the digest that was recorded of it and can be what it says, the map likewise.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import (
    ARTIFACTS,
    BY_NAME,
    EMBEDDINGS,
    EVALUATION,
    INDEX,
    NEAR_DUPLICATES,
    NEIGHBORS,
    PROJECTION,
    SOURCES,
    Artifact,
    Standing,
    State,
    digest_in,
    made_record,
    standings,
)
from radcbir_core.collections.encoder_data import known_files
from radcbir_core.collections.encoder_data.checked_arrays import open_checked
from radcbir_core.collections.layout import STANDARD_MAP, EncoderLayout
from radcbir_core.collections.records.migration import SCHEMA_VERSION, is_of_form_one, migrated_encoder
from radcbir_core.collections.records.record_rules import ENCODER, odd_field
from radcbir_core.collections.seal import is_sealed
from radcbir_core.errors import CollectionError, Remedy, StaleError
from radcbir_core.storage import digest_of, digest_once, disk_errors, known_digest, read_json, write_json

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection

FIRST_DECODING: Final = 1
"""That of embeddings whose record says none."""
IMPORTED: Final = "imported:"
"""How the spec of an encoder begins whose embeddings were imported."""

MAPS: Final = "maps"
"""The field of a record that has the maps that were made on request, by name."""

_NEXT: Final = "next"
"""In what is recorded of a map that is about to be replaced: what is to be recorded of the one that replaces it."""
_CHANGED = "its bytes are not those that were built"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAP_COLUMNS = (["x", "y", "preservation"], ["x", "y", "z", "preservation"])


def read_encoder_record(layout: EncoderLayout) -> dict[str, Any]:
    """What encoder.json says, in the present form, whichever version wrote it; nothing where there is none yet.

    Raises:
        CollectionError: It is damaged.
    """
    return migrated_encoder(read_json(layout.record)) if layout.record.is_file() else {}


def encoder_fault(record: dict[str, Any], *, images: int) -> str:
    """The field of an encoder's record that cannot be what it is for a collection of so many images; "" for none.

    Args:
        record: In the present form.
        images: How many the collection has.
    """
    if "spec" not in record:
        return "spec"
    if odd := odd_field(record, ENCODER):
        return odd
    return "failed_rows" if any(row >= images for row in record.get("failed_rows", [])) else ""


def write_encoder_record(layout: EncoderLayout, facts: dict[str, Any], *, images: str) -> None:
    """Write encoder.json anew for embeddings that have just been made. What was made of others is stale then.

    Args:
        layout: Where.
        facts: Everything that decides the numbers, ``fingerprint`` among it.
        images: The digest of the images that they are of.

    Raises:
        CollectionError: The record of before is damaged.
        StorageError: No space left, or no permission.
    """
    before = read_encoder_record(layout)
    of = {"images": images, "encoder": str(facts["fingerprint"])}
    made = made_record(EMBEDDINGS, of=of, digest=content_digest(EMBEDDINGS, layout))
    kept = {name: before[name] for name in (*BY_NAME, MAPS) if name in before}
    artifacts = {**_artifacts(before), EMBEDDINGS.name: made}
    write_json(layout.record, {"schema_version": SCHEMA_VERSION, **facts, "artifacts": artifacts, **kept})


def void_embeddings(layout: EncoderLayout) -> None:
    """Record that an encoder's embeddings are about to be replaced, so that nobody takes the new for the old.

    Whoever is killed before :func:`write_encoder_record` leaves embeddings that are known not to be current.

    Raises:
        CollectionError: The record is damaged.
        StorageError: No space left, or no permission.
    """
    before = read_encoder_record(layout)
    artifacts = _artifacts(before)
    if EMBEDDINGS.name in artifacts:
        others = {name: made for name, made in artifacts.items() if name != EMBEDDINGS.name}
        write_json(layout.record, before | {"artifacts": others})


def content_digest(artifact: Artifact, layout: EncoderLayout, told: Mapping[str, Any] | None = None) -> str:
    """What identifies the content of an artifact's files; "" for one that is a folder.

    Args:
        artifact: Which.
        layout: Where its files are.
        told: What is, or is to be, recorded of it.
    """
    if artifact.folder:
        return ""
    paths = layout.files(artifact, told)
    known_files.recall(layout)
    digest = digest_of(*(digest_once(path) for path in paths))
    known_files.keep(layout, paths)
    return digest


def _artifacts(record: dict[str, Any]) -> dict[str, Any]:
    artifacts = record.get("artifacts")
    return artifacts if isinstance(artifacts, dict) else {}


class EncoderStore:
    """What one encoder has made of one collection. Made by ``Collection.store``.

    Arrays are opened by memory map when first asked for, and are read-only.

    Attributes:
        collection: The collection.
        encoder_id: The encoder.
        layout: Where its files are.
        record: What encoder.json says.
    """

    def __init__(self, collection: Collection, encoder_id: str) -> None:
        self.collection = collection
        self.encoder_id = encoder_id
        self.layout = collection.layout.encoder(encoder_id)
        self.record = migrated_encoder(read_json(self.layout.record))
        if odd := encoder_fault(self.record, images=len(collection)):
            raise CollectionError(
                f"Expected a complete encoder.json, but {self.layout.record} has another kind of value in {odd}. Copy "
                "it back from where the folder came from, or remove the encoder's folder and build again."
            )
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.layout.folder

    @property
    def embeddings_path(self) -> Path:
        """``(N, D)`` float16 (imported ones keep their type), unit norm; a row of zeros where the image failed."""
        return self.layout.files(EMBEDDINGS)[0]

    @property
    def index_path(self) -> Path:
        """The index over the valid rows."""
        return self.layout.files(INDEX, self.facts(INDEX))[0]

    @property
    def projection_path(self) -> Path:
        """Columns x, y, z in a map of three dimensions, preservation; float32."""
        return self.layout.files(PROJECTION)[0]

    @property
    def evaluation_folder(self) -> Path:
        """Cached evaluation tables, keyed by what they were made of."""
        return self.layout.files(EVALUATION)[0]

    @property
    def title(self) -> str:
        """What people call the encoder."""
        return str(self.record.get("title", self.encoder_id))

    @property
    def spec(self) -> str:
        """What loads the encoder again."""
        return str(self.record["spec"])

    @property
    def decoding(self) -> int:
        """How the files became the pixels that were embedded, as ``images.DECODING`` counts; the oldest, if several."""
        return int(self.record.get("decoding", FIRST_DECODING))

    @property
    def rebuild(self) -> Remedy:
        """What mends a part that is missing, damaged or stale."""
        return Remedy("build", self.collection.name, {"encoder": str(self.record.get("spec", self.encoder_id))})

    @property
    def imported(self) -> bool:
        """Whether the embeddings were imported, so that there is no encoder that could make others like them."""
        return self.spec.startswith(IMPORTED)

    @property
    def evaluated(self) -> str:
        """Identifies these very embeddings with the labels of now: what results of evaluations are kept by."""
        return digest_of(digest_in(self._made, EMBEDDINGS.name), self.collection.digests.all_labels)

    @cached_property
    def valid(self) -> npt.NDArray[np.bool_]:
        """``(N,)``; false where the image could not be embedded."""
        valid = np.ones(len(self.collection), dtype=bool)
        valid[np.asarray(self.record.get("failed_rows", []), dtype=np.int64)] = False
        return valid

    @cached_property
    def neighbor_ids(self) -> npt.NDArray[np.int32]:
        """``(N, W)`` int32, best first, -1 padded, memory-mapped; an image is never its own neighbor."""
        return self.open_array(NEIGHBORS, self.layout.files(NEIGHBORS)[0])

    @cached_property
    def neighbor_similarities(self) -> npt.NDArray[np.float16]:
        """``(N, W)`` float16 cosine similarities, memory-mapped."""
        path, ids = self.layout.files(NEIGHBORS)[1], self.neighbor_ids
        similarities: npt.NDArray[np.float16] = self.open_array(NEIGHBORS, path)
        if similarities.shape != ids.shape:
            raise self._damaged(path, f"its shape {similarities.shape} is another than that of the neighbors")
        return similarities

    @cached_property
    def near_duplicate_groups(self) -> npt.NDArray[np.int32]:
        """``(N,)`` int32, equal numbers are files of one picture, -1 = alone; memory-mapped.

        Raises:
            StaleError: They were not looked for, or were made of something else than there is now.
            CollectionError: They are damaged.
        """
        if not self.is_current(NEAR_DUPLICATES):
            standing = self.standings()[NEAR_DUPLICATES.name]
            raise StaleError(
                f"Expected the near-duplicates of the images that {self.collection.name} has now, but those by "
                f"{self.encoder_id} are {standing.state}: {standing.reason}. Build {self.collection.name} with "
                f"{self.encoder_id} again, or do not exclude near-duplicates.",
                remedy=self.rebuild,
            )
        return self.open_array(NEAR_DUPLICATES, self.layout.files(NEAR_DUPLICATES)[0])

    @property
    def near_duplicates_digest(self) -> str:
        """Identifies the groups of near-duplicates; "" where none were made."""
        return self.made_digest(NEAR_DUPLICATES)

    def made_digest(self, artifact: Artifact) -> str:
        """Identifies what was built of an artifact; "" where nothing was, or where it was not recorded."""
        return digest_in(self._made, artifact.name)

    def projection(self, name: str = STANDARD_MAP) -> pd.DataFrame | None:
        """x, y and preservation of each row (NaN where it has no place), or ``None`` while there is no map of the name.

        In three dimensions z stands behind y.

        Raises:
            CollectionError: It is damaged, or the name cannot be one.
        """
        path = self.layout.map(name)
        if not path.is_file() or (name != STANDARD_MAP and name not in self._maps):
            return None
        if damage := self._map_damage(name):
            raise self._damaged(path, damage)
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise self._damaged(path, "it cannot be read") from error
        if list(table.columns) not in _MAP_COLUMNS or len(table) != len(self.collection):
            raise self._damaged(path, f"it has {len(table):,} rows of {', '.join(map(str, table))[:80]}")
        if any(kind.kind != "f" for kind in table.dtypes):
            raise self._damaged(path, "it holds others than numbers")
        return table

    def maps(self) -> dict[str, Standing]:
        """How each map stands, by name: the one that every build makes first, then those that were made on request."""
        now = self.standings()
        found, neighbors = {STANDARD_MAP: now[PROJECTION.name]}, now[NEIGHBORS.name]
        for name, made in sorted(self._maps.items()):
            known = known_digest(self.layout.map(name))
            if not self.layout.map(name).is_file():
                found[name] = Standing("missing", f"{self.layout.map(name).name} is not there")
            elif made.get("neighbors") != self.made_digest(NEIGHBORS):
                found[name] = Standing("stale", f"{NEIGHBORS.title} were made again since, and are others")
            elif neighbors.state == "stale":
                found[name] = Standing("stale", f"made of {NEIGHBORS.title} that are not current: {neighbors.reason}")
            elif known is not None and not self._is_map(name, known):
                found[name] = Standing("stale", _CHANGED)
            else:
                found[name] = Standing("current")
        return found

    def map_facts(self, name: str = STANDARD_MAP) -> dict[str, Any]:
        """What was told of a map when it was made; nothing where nothing was."""
        return self.facts(PROJECTION) if name == STANDARD_MAP else dict(self._maps.get(name, {}).get("facts", {}))

    def mark_map(self, name: str, **facts: Any) -> None:
        """Record that the map of this name was made of the neighbors that there are now, and what is to be told of it.

        Raises:
            CollectionError: It cannot be a map's name.
            StorageError: The map cannot be read.
        """
        path = self.layout.map(name)
        if name == STANDARD_MAP:
            self.mark(PROJECTION, **facts)
            return
        self.update(**{MAPS: {**self._maps, name: self._map_made(digest_once(path), facts)}})

    def announce_map(self, name: str, digest: str, **facts: Any) -> None:
        """Record beside a map what is to be recorded of the one that takes its place, until :meth:`mark_map`.

        So the file is known for what it is before and after it is replaced, whoever reads the record and whoever is
        killed meanwhile. Of the first map of a name, nothing is recorded: until it is marked, there is none.

        Args:
            name: Of a map.
            digest: Of the new file.
            **facts: What is to be told of it.

        Raises:
            StorageError: No space left, or no permission.
        """
        maps = self._maps
        if name in maps:
            told = {**maps[name], _NEXT: self._map_made(digest, facts)}
            self.update(**{MAPS: {**maps, name: told}})

    def _map_made(self, digest: str, facts: dict[str, Any]) -> dict[str, Any]:
        return {
            "recipe": PROJECTION.recipe,
            "neighbors": self.made_digest(NEIGHBORS),
            "digest": digest,
            "facts": facts,
        }

    def forget_map(self, name: str) -> None:
        """Take the map of this name, made on request, out of the record, and then its file from the disk.

        Raises:
            CollectionError: There is none of this name, or it is the one that every build makes.
            StorageError: No permission.
        """
        path = self.layout.map(name)
        if name == STANDARD_MAP or name not in self._maps:
            has = f"There is {', '.join(sorted(self._maps))}." if self._maps else "There is none."
            raise CollectionError(
                f"Expected the name of a map that was made on request for {self.collection.name} with "
                f"{self.encoder_id}, but name = {name!r}. {has}"
            )
        self.update(**{MAPS: {other: made for other, made in self._maps.items() if other != name}})
        with disk_errors(path):
            path.unlink(missing_ok=True)

    @property
    def _maps(self) -> dict[str, Any]:
        """What is recorded of the maps made on request, by name; of one being replaced, of the file that is there."""
        maps = self.record.get(MAPS)
        return {name: self._of_file(name, made) for name, made in maps.items()} if isinstance(maps, dict) else {}

    def _of_file(self, name: str, made: dict[str, Any]) -> dict[str, Any]:
        coming = made.get(_NEXT)
        if coming is None:
            return made
        with suppress(OSError):
            if digest_once(self.layout.map(name)) == coming["digest"]:
                return dict(coming)
        return {key: value for key, value in made.items() if key != _NEXT}

    def _is_map(self, name: str, digest: str) -> bool:
        """Whether the map of this name has this digest, by this record or, if it was made since, by that of now."""
        if digest == self._maps[name]["digest"]:
            return True
        with suppress(CollectionError):
            self.record = {**self.record, MAPS: read_encoder_record(self.layout).get(MAPS, {})}
        return bool(digest == self._maps.get(name, {}).get("digest"))

    def map_fault(self, name: str) -> str:
        """Why the map of this name is not to be used; "" where it is. Its file is read for it.

        Args:
            name: Of a map that is recorded (:meth:`maps`).
        """
        standing = self.maps()[name]
        return self._map_damage(name) if standing.state == "current" else standing.reason

    def _map_damage(self, name: str) -> str:
        """Why a map's file is not the one that was made; "" where it is, or where nothing is known of it."""
        if name == STANDARD_MAP:
            return self.damage(PROJECTION)
        try:
            now = digest_once(self.layout.map(name))
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        return "" if self._is_map(name, now) else _CHANGED

    def standings(self) -> dict[str, Standing]:
        """How each artifact that is :attr:`expected` stands, in the order of the table, with the reason if not current.

        Of what is made on request and was never asked for, nothing is said.
        """
        stand = standings(self._made, sources=self._sources, missing=self._missing)
        found = {artifact.name: stand[artifact.name] for artifact in self.expected}
        for artifact in self.expected:
            if found[artifact.name].state == "current" and (fault := self._fault_known(artifact)):
                found[artifact.name] = Standing("stale", fault)
        return found

    def earlier_recipes(self) -> list[str]:
        """What people call the artifacts that were made by an earlier version of their recipe, which is still read."""
        made = {artifact.title: self._made.get(artifact.name, {}).get("recipe") for artifact in ARTIFACTS}
        return [artifact.title for artifact in ARTIFACTS if made[artifact.title] in artifact.still_read]

    def states(self) -> dict[str, State]:
        """How each artifact that is :attr:`expected` stands, in the order of the table."""
        return {name: standing.state for name, standing in self.standings().items()}

    def is_current(self, *artifacts: Artifact) -> bool:
        """Whether these artifacts, or all of :attr:`expected` where none is named, are there, of what there is now."""
        states = self.states()
        return all(states.get(artifact.name) == "current" for artifact in (artifacts or self.expected))

    @property
    def expected(self) -> tuple[Artifact, ...]:
        """What a build makes or renews: all but what is made on request and was never asked for."""
        return tuple(artifact for artifact in ARTIFACTS if not artifact.on_request or artifact.name in self._made)

    def damage(self, artifact: Artifact) -> str:
        """Why an artifact's files are not those that were built; "" where they are, or where nothing is known of them.

        Each file is read for it, once a machine as long as it stays as it is: a second for a gigabyte.
        """
        recorded = digest_in(self._made, artifact.name)
        if artifact.folder or not self._is_known(artifact):
            return ""
        try:
            now = content_digest(artifact, self.layout, self.facts(artifact))
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        return "" if now == recorded else _CHANGED

    def distrust(self) -> None:
        """Have this process read all files itself, and not believe what earlier ones have found out of them."""
        for artifact in ARTIFACTS:
            known_files.distrust(self.layout, self.layout.files(artifact, self.facts(artifact)))

    def settle(self) -> None:
        """Find out of large files that were just made what later processes would have to find out."""
        for artifact in ARTIFACTS:
            paths = [] if artifact.folder else self.layout.files(artifact, self.facts(artifact))
            again = [known_files.unsettled(path, holds_values=path.name in artifact.arrays) for path in paths]
            if any(again):
                self.is_whole(artifact)

    def is_whole(self, artifact: Artifact) -> bool:
        """Whether an artifact's files can be used: they are those that were built, and can be what they are."""
        try:
            if artifact == INDEX:
                return not self.index_fault()
            for path in self.layout.files(artifact):
                if path.name in artifact.arrays:
                    self.open_array(artifact, path)
            if artifact == PROJECTION:
                self.projection()
        except CollectionError:
            return False
        return True

    def index_fault(self) -> str:
        """Why the index must not be opened; "" where it may.

        A changed index can end the process that reads it, so that it is opened only if it is, byte for byte, what this
        machine has built.
        """
        return self._index_unknown() or self.damage(INDEX)

    def _index_unknown(self) -> str:
        """As :meth:`index_fault`, as far as it can be told without reading it."""
        if not self._is_known(INDEX):
            return "a version that recorded no digest of it has built it"
        facts = self.facts(INDEX)
        if not is_sealed(digest_in(self._made, INDEX.name), facts.get("seal")):
            return "it was not built here"
        try:
            size = self.index_path.stat().st_size
        except OSError:
            return f"{self.index_path.name} is not there"
        return "" if size == facts.get("bytes") else _CHANGED

    def _is_known(self, artifact: Artifact) -> bool:
        """Whether the digest of an artifact's content is recorded; the first form of records had others."""
        of = self._made.get(artifact.name, {}).get("of", {})
        if artifact == EMBEDDINGS and is_of_form_one(str(of.get("images"))):
            return False
        return _DIGEST.fullmatch(digest_in(self._made, artifact.name)) is not None

    def _fault_known(self, artifact: Artifact) -> str:
        """Why an artifact made of what there is now cannot be used, as far as nothing has to be read for it."""
        if artifact == INDEX and (fault := self._index_unknown()):
            return fault
        if artifact.folder or not self._is_known(artifact):
            return ""
        digests = [known_digest(path) for path in self.layout.files(artifact, self.facts(artifact))]
        known = [digest for digest in digests if digest is not None]
        whole = len(known) < len(digests) or digest_of(*known) == digest_in(self._made, artifact.name)
        return "" if whole else _CHANGED

    def facts(self, artifact: Artifact) -> dict[str, Any]:
        """What was told of an artifact when it was made; nothing where nothing was."""
        told = self.record.get(artifact.name)
        return dict(told) if isinstance(told, dict) else {}

    def mark(self, artifact: Artifact, **facts: Any) -> None:
        """Record that an artifact was made of what is there now, and what else is to be told of it."""
        now = {**self._sources, **{name: digest_in(self._made, name) for name in BY_NAME}}
        digest = content_digest(artifact, self.layout, facts or self.facts(artifact))
        made = made_record(artifact, of=now, digest=digest)
        self.update(artifacts={**self._made, artifact.name: made}, **({artifact.name: facts} if facts else {}))

    def forget(self, artifact: Artifact) -> bool:
        """Take an artifact out of the record, and then its files and parts from the disk; whether there was anything.

        Raises:
            StorageError: No space left for the record, or no permission.
        """
        recorded = artifact.name in self._made
        if recorded:
            others = {name: made for name, made in self._made.items() if name != artifact.name}
            self.record.pop(artifact.name, None)
            self.update(artifacts=others)
        paths = [path for path in self.layout.files(artifact) if path.exists()]
        for path in paths:
            with disk_errors(path):
                path.unlink(missing_ok=True)
        return recorded or bool(paths)

    def remove_remains(self, artifact: Artifact) -> None:
        """Remove what is left beside an artifact that is current: parts of its making, and files of its other forms."""
        if artifact.unfinished:
            shutil.rmtree(self.layout.unfinished(artifact), ignore_errors=True)
        for name in set(artifact.one_of) - set(artifact.files_told(self.facts(artifact))):
            (self.folder / name).unlink(missing_ok=True)

    def update(self, **facts: Any) -> None:
        """Add to encoder.json, in one step."""
        self.record = {**self.record, **facts}
        write_json(self.layout.record, self.record)

    @property
    def _made(self) -> dict[str, Any]:
        return _artifacts(self.record)

    @property
    def _sources(self) -> dict[str, str]:
        digests = self.collection.digests
        now = {
            "images": digests.images,
            "labels": digests.all_labels,
            "encoder": str(self.record.get("fingerprint", "")),
        }
        return {name: now[name] for name in SOURCES}

    def _missing(self, artifact: Artifact) -> str:
        paths = self.layout.files(artifact, self.facts(artifact))
        return next((path.name for path in paths if not path.exists()), "")

    def open_array(self, artifact: Artifact, path: Path) -> npt.NDArray[Any]:
        """One of an artifact's arrays, memory-mapped, one row an image.

        Raises:
            CollectionError: It is missing, damaged, not the one that was built, or of another number of rows.
        """
        with self._lock:
            known_files.recall(self.layout)
            try:
                array = open_checked(path, artifact, images=len(self.collection))
            except ValueError as error:
                raise self._damaged(path, str(error)) from error
            if damage := self.damage(artifact):
                raise self._damaged(path, damage)
            dimension = self.record.get("dimension")
            if artifact == EMBEDDINGS and array.shape[1] != dimension:
                raise self._damaged(path, f"its vectors have {array.shape[1]:,} numbers, and not {dimension}")
            return array

    def _damaged(self, path: Path, reason: str) -> CollectionError:
        if self.imported and path == self.embeddings_path:
            advice = "Copy it back from where it came from, or import the vectors again as a new collection."
            remedy = None
        else:
            advice, remedy = f"Build {self.collection.name} with {self.encoder_id} again.", self.rebuild
        return CollectionError(
            f"Expected what was built for the {len(self.collection):,} images of {self.collection.name}, but {path} is "
            f"not that: {reason}. {advice}",
            remedy=remedy,
        )
