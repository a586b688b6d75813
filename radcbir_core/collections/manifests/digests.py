"""What identifies the images of a collection, and what identifies their labels.

Owns the two digests over a manifest: of its images (``image_id``, ``path``, frame and ``sha256`` in the order of the
rows), and of each other column. Two tables with the same cells have the same digests, whatever parquet made of them:
chunks, encodings, and the order of the columns do not count. An empty cell and one without a value are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.storage import digest_of

IMAGE_COLUMNS: Final = ("image_id", "path", FRAME_COLUMN, "sha256")
"""What says which image a row is; every other column says something about it."""


class Digests(NamedTuple):
    """What identifies the content of a manifest.

    Attributes:
        images: Of :data:`IMAGE_COLUMNS`, in the order of the rows.
        labels: Of each other column: its name → its digest.
    """

    images: str
    labels: Mapping[str, str]

    @property
    def all_labels(self) -> str:
        """Of all labels together; the order of the columns does not count.

        Example:
            >>> Digests("", {"a": "1", "b": "2"}).all_labels == Digests("", {"b": "2", "a": "1"}).all_labels
            True
        """
        return digest_of(json.dumps(dict(self.labels), sort_keys=True))


def digests_of(table: pa.Table) -> Digests:
    """The digests of a manifest's table; about a second for 1.6 million rows.

    Example:
        >>> table = pa.table({"image_id": ["a", "b"], "path": ["1", "2"], "sha256": ["", ""], "view": ["PA", "AP"]})
        >>> other = table.set_column(3, "view", [["PA", "lateral"]])
        >>> digests_of(table).images == digests_of(other).images
        True
        >>> digests_of(table).labels == digests_of(other).labels
        False
    """
    labels = {name: column_digest(table.column(name)) for name in table.column_names if name not in IMAGE_COLUMNS}
    return Digests(images_digest(table), labels)


def images_digest(table: pa.Table) -> str:
    """The digest of a manifest's images. A table without frames is one whose files are one image each."""
    empty = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    columns = (table.column(name) if name in table.column_names else empty for name in IMAGE_COLUMNS)
    return digest_of(*map(column_digest, columns))


def column_digest(column: pa.ChunkedArray) -> str:
    """SHA-256 over the cells of a column, in order, each as text with its length; of a list also how many it holds."""
    cells, lengths, text = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for chunk in column.chunks:
        values = chunk
        if pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            counts = pc.fill_null(pc.list_value_length(chunk), 0)
            cells.update(np.asarray(counts).astype("<i8").tobytes())
            values = pc.list_flatten(chunk)
        words = pc.fill_null(values.cast(pa.large_string()), "")
        lengths.update(np.asarray(pc.binary_length(words)).astype("<i8").tobytes())
        # The bytes of all words one after the other, as Arrow has them.
        offsets = np.frombuffer(words.buffers()[1], dtype=np.int64)[words.offset : words.offset + len(words) + 1]
        data = words.buffers()[2]
        if len(words) and data is not None:
            text.update(memoryview(data)[offsets[0] : offsets[-1]])
    return digest_of(cells.digest(), lengths.digest(), text.digest())
