"""Finished parts of a long computation, and the threads that make them."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.search.engines.shards import Shards, in_threads
from radcbir_core.storage import array_header


def made(shards: Shards, value: float, *, shape=(2, 3), dtype=np.float32) -> list[float]:
    """What a part holds, by one who would make it of this value."""
    return shards.kept("a", lambda: np.full(shape, value), shape=shape, dtype=dtype).ravel().tolist()


def test_a_part_is_made_once_for_each_key(tmp_path) -> None:
    assert made(Shards(tmp_path, "one"), 1) == [1] * 6
    assert made(Shards(tmp_path, "one"), 2) == [1] * 6
    assert made(Shards(tmp_path, "two"), 3) == [3] * 6
    assert made(Shards(tmp_path, "one"), 4) == [4] * 6, "those of another key are gone"


DAMAGES = {
    "nothing": b"",
    "no array": b"no array",
    "an archive": b"PK\x03\x04 and no more",
    "an unreadable head": b"\x93NUMPY\x01\x00v\x00" + b"(" * 118,
    "half": array_header((2, 3), np.float32) + bytes(12),
    "more": array_header((2, 3), np.float32) + bytes(25),
    "another order": array_header((2, 3), np.float32).replace(b"False", b"True ") + bytes(24),
    "another form": None,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_part_that_cannot_be_what_it_should_is_made_again(tmp_path, damage) -> None:
    shards = Shards(tmp_path, "one")
    made(shards, 1)
    if damage is None:
        assert made(shards, 2, dtype=np.float16) == [2] * 6
        assert made(shards, 3, shape=(3, 2), dtype=np.float16) == [3] * 6
    else:
        (tmp_path / "one" / "a.npy").write_bytes(damage)
        assert made(shards, 2) == [2] * 6


def test_parts_of_structured_and_of_no_numbers_are_found_again(tmp_path) -> None:
    kind = np.dtype([("places", np.int32, (3,)), ("last", np.float32)])
    for shape, dtype in (((2,), kind), ((0, 3), np.dtype(np.float32)), ((0,), kind)):
        for value in (1, 2):
            shards = Shards(tmp_path, "one")
            name = f"{dtype.itemsize}-{len(shape)}-{shape[0]}"
            there = shards.kept(name, lambda value=value: np.full(shape, value, dtype), shape=shape, dtype=dtype)  # noqa: B023
            assert (there.shape, there.dtype) == (shape, dtype)
            assert there.tobytes() == np.full(shape, 1, dtype).tobytes(), "it was not made again"


def test_all_tasks_are_done_and_told_and_errors_end_them() -> None:
    done, told = [], []
    in_threads(done.append, range(20), told.append)
    assert sorted(done) == list(range(20))
    assert told == sorted(told)
    assert told[-1] == 20

    def fails(task: int) -> None:
        done.append(task)
        raise ZeroDivisionError

    done.clear()
    with pytest.raises(ZeroDivisionError):
        in_threads(fails, range(10_000), told.append)
    assert len(done) < 10_000

    def stop(number: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_threads(lambda task: None, range(3), stop)
    in_threads(done.append, [], told.append)
