"""Reading JSON and arrays from files that anybody may have changed.

Owns what is looked at before such a file is believed: whatever is wrong with it is one error with a reason, never
another error of the libraries that read it, and never a crash. Knows nothing of what the files mean.
"""

from __future__ import annotations

import json
import math
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow.parquet import FileMetaData

ARRAY_ERRORS = (
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
)
"""What NumPy raises for a file that can be read and is no array: its header is a Python literal, and is read as one."""

_DEEPEST = 64


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON document in which each key stands once.

    Args:
        text: The document; UTF-8 where it is bytes.

    Raises:
        ValueError: It is no JSON, a key is repeated, or it is nested more than 64 deep.

    Example:
        >>> parse_json('{"a": [1, 2]}')
        {'a': [1, 2]}
        >>> parse_json('{"a": 1, "a": 2}')
        Traceback (most recent call last):
            ...
        ValueError: the key 'a' stands there twice
    """
    try:
        value = json.loads(text, object_pairs_hook=_with_single_keys)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    waiting = [(value, 1)]
    while waiting:
        inner, depth = waiting.pop()
        if isinstance(inner, dict | list):
            if depth > _DEEPEST:
                raise ValueError("it is nested too deep")
            parts = inner.values() if isinstance(inner, dict) else inner
            waiting.extend((part, depth + 1) for part in parts)
    return value


def _with_single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise ValueError(f"the key {twice[:80]!r} stands there twice")
    return made


def has_odd_numbers(value: Any) -> bool:
    """Whether a value of :func:`parse_json` holds NaN, infinity, or whole numbers beyond 64 bits.

    JSON has none of the first two (RFC 8259, section 6); Python reads and writes them all the same.

    Example:
        >>> [has_odd_numbers(parse_json(text)) for text in ('{"a": [1, 2.5]}', '{"a": [NaN]}', "[1e999]", "[1e3]")]
        [False, True, True, False]
        >>> has_odd_numbers([2**63]), has_odd_numbers([2**63 - 1])
        (True, False)
    """
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict | list):
            waiting.extend(inner.values() if isinstance(inner, dict) else inner)
        elif isinstance(inner, float):
            if not math.isfinite(inner):
                return True
        elif isinstance(inner, int) and abs(inner) >= 2**63:
            return True
    return False


def lies_elsewhere(metadata: FileMetaData) -> bool:
    """Whether a parquet file says that columns of it lie in other files, as ``_metadata`` of a data set does.

    Arrow does not follow that, and would look for them in the file itself.
    """
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return any(group.column(number).file_path for group in groups for number in range(group.num_columns))


def map_array(path: Path) -> NDArray[Any]:
    """A plain array in an ``.npy`` file, mapped into memory and read-only.

    Raises:
        ValueError: The file is missing, damaged, longer or shorter than its array, or its numbers are in another order
            or form than this machine's.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.zeros((2, 3)))
        >>> map_array(path).shape
        (2, 3)
        >>> np.save(path, np.zeros((2, 3), order="F"))
        >>> map_array(path)
        Traceback (most recent call last):
            ...
        ValueError: its numbers are in Fortran's order
    """
    try:
        array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r")
        size = path.stat().st_size
    except (OSError, *ARRAY_ERRORS) as error:
        raise ValueError("it is missing or damaged") from error
    if not array.flags.c_contiguous:
        raise ValueError("its numbers are in Fortran's order")
    if array.dtype.kind not in "fiu" or not array.dtype.isnative:
        raise ValueError(f"its type is {str(array.dtype)[:80]}")
    if size != array.offset + array.nbytes:
        raise ValueError(f"it has {size:,} bytes, and its array {array.offset + array.nbytes:,}")
    return array
