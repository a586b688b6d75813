"""Finished parts of a long computation, and the threads that make them."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.search.engines.shards import Shards, in_threads


def made(shards: Shards, value: float, *, shape=(2, 3), dtype=np.float32) -> list[float]:
    """What a part holds, by one who would make it of this value."""
    return shards.kept("a", lambda: np.full(shape, value), shape=shape, dtype=dtype).ravel().tolist()


def test_a_part_is_made_once_for_each_key(tmp_path) -> None:
    assert made(Shards(tmp_path, "one"), 1) == [1] * 6
    assert made(Shards(tmp_path, "one"), 2) == [1] * 6
    assert made(Shards(tmp_path, "two"), 3) == [3] * 6
    assert made(Shards(tmp_path, "one"), 4) == [4] * 6, "those of another key are gone"


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_part_that_cannot_be_what_it_should_is_made_again(tmp_path, damage) -> None:
    shards = Shards(tmp_path, "one")
    made(shards, 1)
    if damage is None:
        assert made(shards, 2, dtype=np.float16) == [2] * 6
        assert made(shards, 3, shape=(3, 2), dtype=np.float16) == [3] * 6
    else:
        (tmp_path / "one" / "a.npy").write_bytes(damage)
        assert made(shards, 2) == [2] * 6


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
