"""Files of vectors that somebody already made, read in pieces: HDF5 in the paper's form, ``.npy``, ``.npz``, parquet.

Owns the formats: which vectors a file holds, by which names or in which order, and reading some of them. Knows nothing
of labels; whether a vector can be used is decided here alone.

The paper's form (Denner et al., arXiv 2403.06567, ``src/embeddings/create_embeddings.py`` of their code) is one HDF5
file a data set, with one HDF5 data set an image, named like the image's path. HDF5's own calls are used where h5py's
objects would take three times as long.

Nothing outside the file is read. HDF5 itself follows external storage, external links and virtual data sets to whatever
file they name, and loads a filter's code from a folder of plugins: a stranger's file would read the files of this
machine, and give them back as vectors.
"""

from __future__ import annotations

import math
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from radcbir_core.checked_files import ARRAY_ERRORS, lies_elsewhere
from radcbir_core.errors import ArchiveError, ManifestError
from radcbir_core.unpacking import ZipLimits, checked_members, opened

Floats = npt.NDArray[np.floating[Any]]

SUFFIXES = (".h5", ".hdf5", ".hdf", ".npy", ".npz", ".parquet")
KEY_NAMES = ("filepath", "path", "image_id")
VECTOR_NAMES = ("embeddings", "embedding", "vectors", "vector", "features")

MOST_NUMBERS = 65_536
"""The most numbers a vector may have: more than any encoder gives, and few enough that an unfilled shape is seen."""

_LIMITS = ZipLimits(files=1000, file_bytes=1024**4, total_bytes=1024**4, ratio=200)
_LOOKED_AT = 101
_CHECKED_AT_ONCE = 4096
_NAMED = 3
_MOST_RUNS = 64
_LARGE = 16 << 20
_COPIED_AT_ONCE = 4 << 20
_NAME_LENGTH_AT = 26
"""Where a member's own header in an archive says how long its name is, and then what else stands before its content:
APPNOTE.TXT of PKWARE, 4.3.7."""
# What HDF5 and h5py bring: deflate, shuffle, fletcher32, szip, nbit, scale-offset, lzf. Others come from plugins.
_OWN_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})


class VectorFile(Protocol):
    """Vectors in a file.

    Attributes:
        path: The file.
        dimension: D, of its vectors.
        dtype: float16, float32 or float64.
        keys: What the vectors are called, in the file's order; None where they have an order and no names.
    """

    path: Path
    dimension: int
    dtype: np.dtype[Any]
    keys: Sequence[str] | None

    def __len__(self) -> int:
        """How many vectors there are."""
        ...

    def read(self, places: npt.NDArray[np.int64]) -> tuple[Floats, dict[int, str]]:
        """Some vectors.

        Args:
            places: ``(n,)``; which, in the file's order.

        Returns:
            ``(n, D)`` as they are stored, zeros where there is no usable one, and position in ``places`` → why not.

        Raises:
            ManifestError: The file is damaged.
        """
        ...


def open_vectors(path: Path) -> VectorFile:
    """Open a file of vectors; only names and shapes are read.

    Raises:
        ManifestError: It is none of the known forms, damaged, or holds no floating-point vectors.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ManifestError(f"Expected vectors in a file of {', '.join(SUFFIXES)}, but {path} is none. Convert it.")
    try:
        vectors = _OPENERS[suffix](path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise ManifestError(
            f"Expected a complete {suffix} file, but {path} cannot be read: {reason}. Copy or make it again."
        ) from error
    except ArchiveError as error:
        raise ManifestError(str(error)) from error
    if vectors.dimension > MOST_NUMBERS:
        raise ManifestError(
            f"Expected vectors of at most {MOST_NUMBERS:,} numbers, but those in {path} have {vectors.dimension:,}. "
            "Give embeddings, not images."
        )
    return vectors


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ManifestError(
            "Expected the package h5py for HDF5 files, but h5py = not installed. Run: pip install h5py"
        ) from error
    return h5py


class Hdf5Vectors:
    """The paper's form: one data set an image, each ``(D,)`` or ``(1, D)``.

    All links are looked at before any data set is opened, and each data set before any of it is read: most at once, of
    many only some, because that takes as long as reading them.

    Args:
        path: The file.

    Raises:
        ManifestError: It has no data sets, or no floating-point vectors, or names other files.
        OSError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        h5py = _h5py()
        self.path = path
        # The driver is named, because one that the environment names could take a file for a part of several.
        self._file = h5py.File(path, "r", driver=None if sys.platform == "win32" else "sec2")
        self._low = h5py
        self._names = self._links()
        if not self._names:
            raise ManifestError(f"Expected one HDF5 data set an image, but {path} has none. Give another file.")
        self.keys: Sequence[str] | None = [name.decode("utf-8", "replace") for name in self._names]
        for name in self._names[:: max(1, len(self._names) // _CHECKED_AT_ONCE)]:
            self._opened(name)
        seen = [self._shape_and_type(name) for name in self._names[:: max(1, len(self._names) // _LOOKED_AT)]]
        usable = Counter(
            (shape[-1], kind)
            for shape, kind in (one for one in seen if one is not None)
            if kind.kind == "f" and _is_one_vector(shape)
        )
        if not usable:
            first = next((f"{kind} of shape {shape}" for shape, kind in (one for one in seen if one)), "no data set")
            raise ManifestError(
                f"Expected floating-point vectors as data sets, but {path} has {first}. Give a file of embeddings."
            )
        (self.dimension, self.dtype), _ = usable.most_common(1)[0]
        self._type = h5py.h5t.py_create(self.dtype)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, places: npt.NDArray[np.int64]) -> tuple[Floats, dict[int, str]]:
        """See :class:`VectorFile`; in the order given, which is quickest when it is the file's."""
        h5py = self._low
        open_dataset, everything, names, kind = self._opened, h5py.h5s.ALL, self._names, self._type
        wanted = {(self.dimension,), (1, self.dimension)}
        vectors: Floats = np.zeros((len(places), self.dimension), dtype=self.dtype)
        reasons: dict[int, str] = {}
        for number, place in enumerate(places.tolist()):
            try:
                dataset = open_dataset(names[place])
                if dataset is None:
                    reasons[number] = "Expected a readable data set, but there is none: a link to nothing, or damaged."
                    continue
                shape = dataset.shape
                if shape in wanted and dataset.get_type() == kind:
                    dataset.read(everything, everything, vectors[number], kind)
                else:
                    self._read_slowly(dataset, vectors, reasons, number)
            except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
                reasons[number] = f"Expected a readable data set, but HDF5 says: {' '.join(str(error).split())[:200]}."
                vectors[number] = 0
        return vectors, reasons

    def _read_slowly(self, dataset: Any, vectors: Floats, reasons: dict[int, str], number: int) -> None:
        """A vector of another shape or type than the others: converted where it fits, else refused with the reason."""
        shape, kind = dataset.shape, dataset.dtype
        if kind.kind != "f":
            reasons[number] = f"Expected a floating-point vector, but its type is {kind}."
        elif not _is_one_vector(shape) or shape[-1] != self.dimension:
            reasons[number] = f"Expected a vector of dimension {self.dimension}, but its shape is {shape}."
        else:
            content = np.empty(shape, dtype=kind)
            dataset.read(self._low.h5s.ALL, self._low.h5s.ALL, content)
            vectors[number] = content.reshape(-1)

    def _links(self) -> list[bytes]:
        """The names of all data sets. Links are listed without opening what they point at, which is far quicker.

        Raises:
            ManifestError: One leads to another file.
        """
        names: list[bytes] = []
        within = {self._low.h5l.TYPE_HARD, self._low.h5l.TYPE_SOFT}
        leading_out: list[bytes] = []

        def look(name: bytes, link: Any) -> None:
            names.append(name)
            if link.type not in within:  # an external link, or one whose meaning its user defines
                leading_out.append(name)

        root = self._low.h5g.open(self._file.id, b"/")
        root.links.visit(look, info=True)
        if leading_out:
            raise self._leads_out(leading_out[0], "a link to another file")
        groups = {name.rpartition(b"/")[0] for name in names}
        return [name for name in names if name not in groups]

    def _opened(self, name: bytes) -> Any | None:
        """A data set, if all of it is in this file; ``None`` where the name leads to none.

        Even its shape is not asked for before: that of a virtual data set is looked up in the files it is made of.

        Raises:
            ManifestError: Its numbers are in other files, or a plugin would have to unpack them.
        """
        try:
            dataset = self._low.h5d.open(self._file.id, name)
            if dataset.get_offset() is not None:  # one piece of this very file, as most are
                return dataset
            how = dataset.get_create_plist()
            virtual, elsewhere = how.get_layout() == self._low.h5d.VIRTUAL, how.get_external_count()
            filters = {how.get_filter(number)[0] for number in range(how.get_nfilters())}
        except (RuntimeError, KeyError, TypeError, ValueError, OSError):
            return None  # a group without members, a link to nothing, or damaged
        if virtual or elsewhere:
            raise self._leads_out(name, "a virtual data set" if virtual else "external storage")
        if foreign := filters - _OWN_FILTERS:
            raise ManifestError(
                f"Expected numbers that HDF5 unpacks by itself, but {self.path} has {_shown(name)} with filter "
                f"{min(foreign)}, which is a plugin. Save it again with gzip, or without compression."
            )
        return dataset

    def _leads_out(self, name: bytes, what: str) -> ManifestError:
        return ManifestError(
            f"Expected all vectors in the file itself, but {self.path} has {_shown(name)}, which is {what}. "
            "Save the vectors themselves into one file."
        )

    def _shape_and_type(self, name: bytes) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
        dataset = self._opened(name)
        try:
            return None if dataset is None else (tuple(dataset.shape), dataset.dtype)
        except (RuntimeError, KeyError, TypeError, ValueError, OSError):
            return None  # of a type that NumPy has not, or damaged


class _ArrayVectors:
    """``(N, D)`` in memory or mapped, with or without names."""

    def __init__(self, path: Path, array: npt.NDArray[Any], keys: Sequence[str] | None) -> None:
        if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
            raise ManifestError(
                f"Expected an array of N vectors by D floating-point numbers, but {path} holds {array.dtype} of shape "
                f"{array.shape}. Give the embeddings as such an array."
            )
        if keys is not None and len(keys) != len(array):
            raise ManifestError(
                f"Expected one name a vector ({len(array)}), but {path} has {len(keys)} names. Make the file again."
            )
        self.path = path
        self.keys = keys
        self.dimension = int(array.shape[1])
        self.dtype = array.dtype.newbyteorder("=")
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def read(self, places: npt.NDArray[np.int64]) -> tuple[Floats, dict[int, str]]:
        """See :class:`VectorFile`."""
        return np.asarray(self._array[places], dtype=self.dtype), {}


class _NpyVectors(_ArrayVectors):
    """``(N, D)`` in a file, of which what is asked for is read: pages of a map would stay in memory, all of them."""

    def __init__(self, path: Path, array: np.memmap[Any, Any], keys: Sequence[str] | None = None) -> None:
        super().__init__(path, array, keys)
        self._offset, self._stored = int(array.offset), array.dtype

    def read(self, places: npt.NDArray[np.int64]) -> tuple[Floats, dict[int, str]]:
        """See :class:`VectorFile`; quickest where the places follow each other."""
        cuts = np.flatnonzero(np.diff(places) != 1) + 1
        if not self._array.flags.c_contiguous or not len(places) or len(cuts) > _MOST_RUNS:
            return super().read(places)
        vectors = np.empty((len(places), self.dimension), dtype=self._stored)
        with self.path.open("rb", buffering=0) as handle:
            for run, first in zip(np.split(vectors, cuts), places[[0, *cuts]].tolist(), strict=True):
                handle.seek(self._offset + first * self.dimension * self._stored.itemsize)
                into = memoryview(run.data).cast("B")
                while into.nbytes:
                    count = handle.readinto(into)
                    if not count:
                        raise ManifestError(
                            f"Expected a complete file of vectors, but {self.path} is cut off. Copy it again."
                        )
                    into = into[count:]
        return np.asarray(vectors, dtype=self.dtype), {}


def _array_file(path: Path) -> VectorFile:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except ARRAY_ERRORS as error:
        raise ManifestError(
            f"Expected a complete .npy file of numbers, but {path}: {' '.join(str(error).split())[:200]}. "
            "Copy or save it again."
        ) from error
    return _NpyVectors(path, array)


def _archive(path: Path) -> VectorFile:
    """An ``.npz`` with one two-dimensional array, and names in an array called like a key."""
    # The arrays are read whole: what would swell beyond measure, or is no plain member, is refused before.
    with opened(path, name=str(path)) as members:
        checked_members(members, name=str(path), limits=_LIMITS)
    try:
        with np.load(path, allow_pickle=False) as archive:
            held: dict[str, npt.NDArray[Any]] = {}
            for name in archive.files:
                lying = _where_it_lies(path, archive.zip, name)
                held[name] = archive[name] if lying is None else lying
    except (*ARRAY_ERRORS, zipfile.BadZipFile, zlib.error, AttributeError) as error:
        raise ManifestError(
            f"Expected a complete .npz file of arrays, but {path}: {' '.join(str(error).split())[:200]}. "
            "Save it again, without pickled objects."
        ) from error
    tables = [name for name, array in held.items() if array.ndim == 2 and array.dtype.kind == "f"]
    named = [name for name in VECTOR_NAMES if name in tables] or tables
    if len(named) != 1 and not (named and named[0] in VECTOR_NAMES):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in held.items()) or "nothing"
        raise ManifestError(
            f"Expected one array of vectors called {' or '.join(VECTOR_NAMES[:2])}, but {path} holds {shapes}. "
            "Name it so."
        )
    key = next((name for name in KEY_NAMES if name in held), None)
    keys = [str(value) for value in held[key].ravel()] if key else None
    vectors = held[named[0]]
    return _NpyVectors(path, vectors, keys) if isinstance(vectors, np.memmap) else _ArrayVectors(path, vectors, keys)


def _where_it_lies(path: Path, archive: zipfile.ZipFile, name: str) -> np.memmap[Any, Any] | None:
    """A large array of an archive as a map of the archive itself, if it is not packed; its checksum is compared.

    Raises:
        zipfile.BadZipFile: It is damaged.
        ValueError: It is no array.
    """
    member = next((one for one in archive.infolist() if one.filename == f"{name}.npy"), None)
    if member is None or member.compress_type != zipfile.ZIP_STORED or member.file_size < _LARGE:
        return None
    with archive.open(member) as stream:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(np.lib.format.read_magic(stream))
        if read_header is None:
            return None
        shape, is_fortran, dtype = read_header(stream)
        before = stream.tell()
        while stream.read(_COPIED_AT_ONCE):
            pass
    if is_fortran or dtype.hasobject or before + math.prod(shape) * dtype.itemsize != member.file_size:
        return None
    with path.open("rb") as handle:
        handle.seek(member.header_offset + _NAME_LENGTH_AT)
        lengths = struct.unpack("<HH", handle.read(4))
    start = member.header_offset + _NAME_LENGTH_AT + 4 + sum(lengths) + before
    return np.memmap(path, dtype, "r", offset=start, shape=shape)


class _ParquetVectors:
    """Parquet with a column of lists of numbers, and names in a column called like a key; read by row groups."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise ManifestError(
                f"Expected a complete parquet file, but {path}: {' '.join(str(error).split())[:200]}. Save it again."
            ) from error
        if lies_elsewhere(self._file.metadata):
            raise ManifestError(
                f"Expected a parquet file with its columns in it, but {path} says that they lie in other files. Give "
                "these, or write it as one file."
            )
        schema = self._file.schema_arrow
        lists = [
            field.name
            for field in schema
            if (
                pa.types.is_list(field.type)
                or pa.types.is_large_list(field.type)
                or pa.types.is_fixed_size_list(field.type)
            )
            and pa.types.is_floating(field.type.value_type)
        ]
        named = [name for name in VECTOR_NAMES if name in lists] or lists
        if not named or not self._file.metadata.num_rows:
            raise ManifestError(
                f"Expected a column with a list of numbers an image, such as embedding, but {path} has the columns "
                f"{', '.join(schema.names)}. Give the embeddings as such a column."
            )
        self.path = path
        self._column = named[0]
        self.dtype = np.dtype(schema.field(self._column).type.value_type.to_pandas_dtype())
        key = next((name for name in KEY_NAMES if name in schema.names), None)
        try:
            names = self._file.read(columns=[key]).column(0).to_pylist() if key else None
        except (pa.ArrowException, ValueError, OSError) as error:
            raise self._damaged(error) from error
        self.keys: Sequence[str] | None = None if names is None else [str(value) for value in names]
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)
        self._held: tuple[int, Any] = (-1, None)
        first = self._group(0).slice(0, _LOOKED_AT)
        lengths = Counter(len(value) for value in first.to_pylist() if value)
        if not lengths:
            raise ManifestError(f"Expected vectors in the column {self._column}, but {path} starts with empty ones.")
        self.dimension = lengths.most_common(1)[0][0]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, places: npt.NDArray[np.int64]) -> tuple[Floats, dict[int, str]]:
        """See :class:`VectorFile`; quickest when the places ascend."""
        import pyarrow as pa
        import pyarrow.compute as pc

        vectors: Floats = np.zeros((len(places), self.dimension), dtype=self.dtype)
        reasons: dict[int, str] = {}
        group_of = np.searchsorted(self._starts, places, side="right") - 1
        for group in np.unique(group_of):
            numbers = np.flatnonzero(group_of == group)
            column = self._group(int(group)).take(pa.array(places[numbers] - self._starts[group]))
            lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
            lengths = np.where(np.asarray(column.is_null()), 0, lengths)
            whole = lengths == self.dimension
            values = column.filter(pa.array(whole)).flatten().to_numpy(zero_copy_only=False)
            vectors[numbers[whole]] = values.reshape(-1, self.dimension)
            for number, length in zip(numbers[~whole].tolist(), lengths[~whole].tolist(), strict=True):
                reasons[number] = f"Expected a vector of dimension {self.dimension}, but it has {length} numbers."
        return vectors, reasons

    def _group(self, number: int) -> Any:
        if self._held[0] != number:
            import pyarrow as pa

            try:
                table = self._file.read_row_group(number, columns=[self._column])
            except (pa.ArrowException, ValueError, OSError) as error:
                raise self._damaged(error) from error
            self._held = (number, table.column(0).combine_chunks())
        return self._held[1]

    def _damaged(self, error: Exception) -> ManifestError:
        """What is said of a file whose columns cannot be read; Arrow reads none that lie in another file either."""
        return ManifestError(
            f"Expected a complete parquet file, but {self.path}: {' '.join(str(error).split())[:200]}. Save it again."
        )


_OPENERS: dict[str, Callable[[Path], VectorFile]] = {
    ".npy": _array_file,
    ".npz": _archive,
    ".parquet": _ParquetVectors,
    ".h5": Hdf5Vectors,
    ".hdf5": Hdf5Vectors,
    ".hdf": Hdf5Vectors,
}


def _shown(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace")[:120])


def _is_one_vector(shape: Iterable[int]) -> bool:
    sides = tuple(shape)
    return (len(sides) == 1 or (len(sides) == 2 and sides[0] == 1)) and sides[-1] > 0


def some(names: Sequence[str]) -> str:
    """The first few names and how many more there are, for a message.

    Example:
        >>> some(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
