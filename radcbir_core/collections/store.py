"""What one encoder has made of one collection.

Owns the reading of what lies in an encoder's folder, and its record: what each artifact was made of, and so how it
stands. Computes nothing; the modules that make an artifact ask here for its path.
"""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import (
    BY_NAME,
    EMBEDDINGS,
    EVALUATION,
    INDEX,
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
from radcbir_core.collections.layout import EncoderLayout
from radcbir_core.collections.migration import SCHEMA_VERSION, migrated_encoder
from radcbir_core.errors import CollectionError, Remedy
from radcbir_core.storage import digest_file, digest_of, read_json, write_json

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection

FIRST_DECODING: Final = 1
"""That of embeddings whose record says none."""
IMPORTED: Final = "imported:"
"""How the spec of an encoder begins whose embeddings were imported."""


def read_encoder_record(layout: EncoderLayout) -> dict[str, Any]:
    """What encoder.json says, in the present form, whichever version wrote it; nothing where there is none yet.

    Raises:
        CollectionError: It is damaged.
    """
    return migrated_encoder(read_json(layout.record)) if layout.record.is_file() else {}


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
    kept = {name: before[name] for name in BY_NAME if name in before}
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


def content_digest(artifact: Artifact, layout: EncoderLayout) -> str:
    """What identifies the content of an artifact's files; "" for one that is a folder."""
    if artifact.folder:
        return ""
    return digest_of(*(digest_file(path) for path in layout.files(artifact)))


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
        """The USearch index over the valid rows."""
        return self.layout.files(INDEX)[0]

    @property
    def projection_path(self) -> Path:
        """Columns x, y, preservation; float32."""
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
        return self.open_array(self.layout.files(NEIGHBORS)[0])

    @cached_property
    def neighbor_similarities(self) -> npt.NDArray[np.float16]:
        """``(N, W)`` float16 cosine similarities, memory-mapped."""
        return self.open_array(self.layout.files(NEIGHBORS)[1])

    def projection(self) -> pd.DataFrame | None:
        """x, y and preservation of each row (NaN where it has no place), or ``None`` while there is no map."""
        if not self.projection_path.is_file():
            return None
        try:
            return pd.read_parquet(self.projection_path)
        except (OSError, ValueError) as error:
            raise CollectionError(
                f"Expected a readable map, but {self.projection_path} is damaged. Build again."
            ) from error

    def standings(self) -> dict[str, Standing]:
        """How each artifact stands, in the order of the table, with the reason where it is not current."""
        return standings(self._made, sources=self._sources, missing=self._missing)

    def states(self) -> dict[str, State]:
        """How each artifact stands, in the order of the table."""
        return {name: standing.state for name, standing in self.standings().items()}

    def is_current(self, *artifacts: Artifact) -> bool:
        """Whether these artifacts, or all of them where none is named, are there and made of what there is now."""
        states = self.states()
        return all(states[name] == "current" for name in ([artifact.name for artifact in artifacts] or states))

    def facts(self, artifact: Artifact) -> dict[str, Any]:
        """What was told of an artifact when it was made; nothing where nothing was."""
        told = self.record.get(artifact.name)
        return dict(told) if isinstance(told, dict) else {}

    def mark(self, artifact: Artifact, **facts: Any) -> None:
        """Record that an artifact was made of what is there now, and what else is to be told of it."""
        now = {**self._sources, **{name: digest_in(self._made, name) for name in BY_NAME}}
        made = made_record(artifact, of=now, digest=content_digest(artifact, self.layout))
        self.update(artifacts={**self._made, artifact.name: made}, **({artifact.name: facts} if facts else {}))

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
        return next((path.name for path in self.layout.files(artifact) if not path.exists()), "")

    def open_array(self, path: Path) -> npt.NDArray[Any]:
        """One of its arrays, memory-mapped, one row an image.

        Raises:
            CollectionError: It is missing, damaged, or of another number of rows.
        """
        with self._lock:
            try:
                array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise CollectionError(
                    f"Expected a readable array, but {path} is missing or damaged. "
                    f"Build {self.collection.name} with {self.encoder_id} again.",
                    remedy=self.rebuild,
                ) from error
            if len(array) != len(self.collection):
                raise CollectionError(
                    f"Expected {len(self.collection)} rows, but {path} has {len(array)}. "
                    f"Build {self.collection.name} with {self.encoder_id} again.",
                    remedy=self.rebuild,
                )
            return array
