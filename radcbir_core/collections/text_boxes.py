"""Where text seems to be burned into the images of a collection: what was found, and what their headers say.

Owns ``text-boxes.parquet``, one row an image: whether text was found in its pixels, and where. What a text says is
nowhere: it may be a name. How text is found is the business of ``radcbir_core.burned_text``.

A row carries a key made of the image's id and digest. So the table is true of every image that it knows, also once
others were added, and an image that it does not know has not been looked at.

What a DICOM header says stands in the manifest, in columns of its own: Burned In Annotation (0028,0301) "indicates
whether or not image contains sufficient burned in annotation to identify the patient and date the image was acquired";
"if this Attribute is absent, then the image may or may not contain burned in annotation" (PS3.3 C.7.6.1, table C.7-9).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radcbir_core.collections.manifests.manifest import Codes, Manifest
from radcbir_core.errors import CollectionError
from radcbir_core.images.blackout import THOUSAND, Boxes, no_boxes
from radcbir_core.storage import atomic_path
from radcbir_core.wording import counted

HEADER_COLUMN: Final = "burned_in_annotation"
"""The column of what Burned In Annotation says: ``YES``, ``NO``, or ``not said``, which is neither."""

FILTER: Final = "text_in_pixels"
"""What images can be filtered by, beside the columns of the manifest: one of :data:`WORDS`."""

UNSEEN, NOTHING, MARK, TEXT, FAILED = -1, 0, 1, 2, 3
WORDS: Final = {NOTHING: "none found", MARK: "a letter or mark", TEXT: "seems burned in", FAILED: "could not be read"}
"""State of an image → what it is called; there is nothing to call one that nobody has looked at."""

HEADER_SOURCE: Final = "DICOM header"
DETECTOR_SOURCE: Final = "text detector"
"""Where a problem of an image comes from."""

HEADER_SAYS: Final = (
    "Its header says that text that identifies is burned into its pixels (BurnedInAnnotation). It is in the collection."
)
MOST_LISTED: Final = 10_000
"""So many images are listed among the problems; of more the last row says how many."""

_META: Final = b"radcbir_text_boxes"
_SCHEMA: Final = pa.schema({"key": pa.uint64(), "state": pa.int8(), "boxes": pa.list_(pa.int16())})


@dataclass(frozen=True)
class TextBoxes:
    """What was found in the pixels of each image.

    Attributes:
        states: ``(N,)`` int8: :data:`UNSEEN`, :data:`NOTHING`, :data:`MARK`, :data:`TEXT` or :data:`FAILED`.
        starts: ``(N + 1,)`` int64; the boxes of row *i* are ``values[starts[i]:starts[i + 1]]``.
        values: ``(B, 4)`` int16, boxes as in :mod:`radcbir_core.images.blackout`.
        detector: What found them; empty where nothing did.
    """

    states: npt.NDArray[np.int8]
    starts: npt.NDArray[np.int64]
    values: Boxes
    detector: str = ""

    @classmethod
    def none(cls, number: int) -> TextBoxes:
        """Of so many images that nobody has looked at."""
        return cls(np.full(number, UNSEEN, np.int8), np.zeros(number + 1, np.int64), no_boxes())

    @classmethod
    def of(cls, states: npt.ArrayLike, boxes: list[Boxes], *, detector: str) -> TextBoxes:
        """From a list of boxes an image."""
        starts = np.cumsum([0, *map(len, boxes)], dtype=np.int64)
        return cls(np.asarray(states, np.int8), starts, np.concatenate([no_boxes(), *boxes]).astype(np.int16), detector)

    def boxes(self, row: int) -> Boxes:
        """Where text was found in an image, letters and marks beside it too."""
        return self.values[self.starts[row] : self.starts[row + 1]]

    def take(self, places: npt.NDArray[np.int64]) -> TextBoxes:
        """Other rows in their order; -1 is an image that is not known here."""
        known = places >= 0
        states = np.where(known, self.states[places], UNSEEN) if len(self.states) else np.full(len(places), UNSEEN)
        return TextBoxes.of(
            states,
            [self.boxes(place) if place >= 0 else no_boxes() for place in places.tolist()],
            detector=self.detector,
        )


@dataclass(frozen=True)
class BurnedText:
    """What is known of text in the pixels of each image, from headers and from looking.

    Attributes:
        found: What looking has found.
        told: ``(N,)`` bool: whose header says that there is such text.
    """

    found: TextBoxes
    told: npt.NDArray[np.bool_]

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """``(N,)``: in which images text seems burned in."""
        flagged: npt.NDArray[np.bool_] = self.told | (self.found.states == TEXT)
        return flagged

    @property
    def unseen(self) -> int:
        """How many images nobody has looked at."""
        return int((self.found.states == UNSEEN).sum())

    def is_flagged(self, row: int) -> bool:
        """Whether text seems to be burned into an image."""
        return bool(self.told[row] or self.found.states[row] == TEXT)

    def hidden(self, row: int) -> Boxes:
        """What is painted black in an image where it is to be shown without text; nothing where it has none.

        A letter or mark alone is left: it says which side is shown, and names nobody.
        """
        return self.found.boxes(row) if self.is_flagged(row) else no_boxes()

    def said_of(self, row: int) -> str:
        """Why an image is flagged, as the end of a sentence; "" where it is not."""
        places = len(self.found.boxes(row))
        said = ["its header says so"] if self.told[row] else []
        said += [f"found at {counted(places, 'place')}"] if self.found.states[row] == TEXT else []
        if said and not places:
            said.append("nobody has looked where" if self.found.states[row] == UNSEEN else "where was not found")
        return ", ".join(said)

    def codes(self) -> Codes:
        """The state of each image in words, to filter by; what a header says counts as seen."""
        states = np.where(self.told, TEXT, self.found.states)
        words = sorted(WORDS.values())
        place = {state: words.index(word) for state, word in WORDS.items()}
        look_up = np.array([place.get(state, -1) for state in range(UNSEEN, FAILED + 1)], np.int32)
        return Codes(tuple(words), look_up[states.astype(np.int64) - UNSEEN])


def keys_of(manifest: Manifest) -> npt.NDArray[np.uint64]:
    """``(N,)``: what tells one image from another, of its id and of its file's digest."""
    ids, digests = manifest.column("image_id"), manifest.column("sha256")
    keys: npt.NDArray[np.uint64] = pd.util.hash_array(ids + "\0" + digests, categorize=False)
    return keys


def burned_text_of(manifest: Manifest, path: Path | None = None, *, images: str = "") -> BurnedText:
    """What is known of text in the pixels of a collection's images.

    Args:
        manifest: The images.
        path: Of the table, which need not be there; None for what the headers say alone.
        images: The digest of the images.

    Raises:
        CollectionError: The table is damaged.
    """
    told = np.zeros(len(manifest), np.bool_)
    if HEADER_COLUMN in manifest.column_names:
        codes = manifest.codes(HEADER_COLUMN)
        if "YES" in codes.values:
            told = codes.codes == codes.values.index("YES")
    return BurnedText(_aligned(manifest, path, images=images), told)


def _aligned(manifest: Manifest, path: Path | None, *, images: str) -> TextBoxes:
    if path is None or not path.is_file():
        return TextBoxes.none(len(manifest))
    keys, found, told = read_text_boxes(path)
    if told.get("images") == images and len(keys) == len(manifest):
        return found
    order = np.argsort(keys, kind="stable")
    wanted = keys_of(manifest)
    places = np.searchsorted(keys, wanted, sorter=order)
    places = order[np.minimum(places, max(len(keys) - 1, 0))] if len(keys) else np.full(len(wanted), -1)
    if len(keys):
        places = np.where(keys[places] == wanted, places, -1)
    return found.take(places.astype(np.int64))


def write_text_boxes(path: Path, keys: npt.NDArray[np.uint64], found: TextBoxes, *, images: str = "") -> None:
    """Write the table in one step.

    Args:
        path: Where to.
        keys: ``(N,)``, as :func:`keys_of` gives them.
        found: ``(N,)`` images.
        images: The digest of the images; empty for a part of them.

    Raises:
        StorageError: No space left, or no permission.
    """
    boxes = pa.ListArray.from_arrays(pa.array(4 * found.starts, pa.int32()), pa.array(found.values.reshape(-1)))
    told = json.dumps({"images": images, "detector": found.detector})
    table = pa.table(
        {"key": pa.array(keys, pa.uint64()), "state": pa.array(found.states), "boxes": boxes}, schema=_SCHEMA
    ).replace_schema_metadata({_META: told.encode()})
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_text_boxes(path: Path) -> tuple[npt.NDArray[np.uint64], TextBoxes, dict[str, Any]]:
    """The keys, what was found, and what the table says of itself.

    Raises:
        CollectionError: It is damaged, or is no such table.
    """
    try:
        table = pq.read_table(path)
        told = json.loads((table.schema.metadata or {}).get(_META, b"null"))
        faults = _faults(table, told)
        if not faults:
            keys, states = (np.asarray(table.column(name).combine_chunks()) for name in ("key", "state"))
            lengths, boxes = _lists(table.column("boxes"))
            faults = _faults_of_boxes(states, lengths, boxes)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise _damaged(path, str(error)[:120]) from error
    if faults:
        raise _damaged(path, faults)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]) // 4
    return keys, TextBoxes(states, starts, boxes.reshape(-1, 4), str(told.get("detector", ""))), told


def _faults(table: pa.Table, told: object) -> str:
    if not (isinstance(told, dict) and table.schema.remove_metadata().equals(_SCHEMA)):
        return "it has other columns"
    return "it has gaps" if any(table.column(name).null_count for name in _SCHEMA.names) else ""


def _lists(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """How long the list of each row is, and what all lists hold."""
    lengths = np.asarray(pc.list_value_length(column)).astype(np.int64)
    return lengths, np.asarray(pc.list_flatten(column)).astype(np.int16)


def _faults_of_boxes(
    states: npt.NDArray[np.int8], lengths: npt.NDArray[np.int64], values: npt.NDArray[np.int16]
) -> str:
    if (lengths % 4).any() or len(values) != lengths.sum():
        return "its boxes have other numbers of sides than four"
    boxes = values.reshape(-1, 4)
    if (boxes < 0).any() or (boxes > THOUSAND).any() or (boxes[:, :2] > boxes[:, 2:]).any():
        return "it has boxes outside of their images"
    return "" if np.isin(states, [UNSEEN, *WORDS]).all() else "it has states that there are not"


def _damaged(path: Path, why: str) -> CollectionError:
    return CollectionError(
        f"Expected the table of where text was found, but {path} is damaged: {why}. Look for text again, or remove it: "
        "nothing else depends on it."
    )


def header_problems(manifest: Manifest, told: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """The images whose header says that text is burned in, as rows for problems.csv."""
    rows = np.flatnonzero(told)
    return _problems(manifest, rows, [HEADER_SAYS] * min(len(rows), MOST_LISTED), source=HEADER_SOURCE)


def detector_problems(manifest: Manifest, found: TextBoxes) -> pd.DataFrame:
    """The images in which text was found, as rows for problems.csv."""
    rows = np.flatnonzero(found.states == TEXT)
    reasons = [
        f"Text seems to be burned into its pixels, at {counted(len(found.boxes(row)), 'place')}. It is in the "
        "collection; look whether it names somebody."
        for row in rows[:MOST_LISTED].tolist()
    ]
    return _problems(manifest, rows, reasons, source=DETECTOR_SOURCE)


def _problems(manifest: Manifest, rows: npt.NDArray[np.intp], reasons: list[str], *, source: str) -> pd.DataFrame:
    listed = manifest.rows(rows[:MOST_LISTED], ["path", "image_id"])
    listed = listed.assign(source=source, line="", reason=reasons)[["source", "line", "path", "image_id", "reason"]]
    if len(rows) <= MOST_LISTED:
        return listed
    more = f"Of {len(rows):,} such images the first {MOST_LISTED:,} are listed: filter by {FILTER} to see all."
    return pd.concat(
        [listed, pd.DataFrame([{"source": source, "line": "", "path": "", "image_id": "", "reason": more}])],
        ignore_index=True,
    )
