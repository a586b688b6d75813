"""The approximate neighbor graph, against a comparison of all pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import radcbir_core.search.neighbors.neighbor_descent as descent
from radcbir_core.search.backend import ArrayVectors
from radcbir_core.search.engines.shards import Shards
from radcbir_core.search.neighbors.neighbor_descent import Effort, approximate_neighbors, first_of, main_directions

LITTLE = Effort(cell=32, dimensions=16, nearby=300, candidates=700, followed=20, kept=40, queries=200)


def near(
    folder: Path, vectors: np.ndarray, *, width: int = 10, rows: np.ndarray | None = None, effort=LITTLE, **options
):
    """``(N, width)`` neighbors (-2 where none are given), their similarities, and what is recorded."""
    rows = np.arange(len(vectors)) if rows is None else rows
    parts, facts = approximate_neighbors(
        ArrayVectors(vectors), rows, width=width, shards=Shards(folder, "key"), effort=effort, **options
    )
    ids = np.full((len(vectors), width), -2, dtype=np.int32)
    similarities = np.full((len(vectors), width), np.nan, dtype=np.float16)
    for part, found in parts:
        ids[part], similarities[part] = found["row"], found["similarity"]
    return ids, similarities, facts


def directions(kind: str, number: int, dimension: int = 24, seed: int = 0) -> np.ndarray:
    """Vectors of length 1 in half precision, that lie as the kind says."""
    random = np.random.default_rng(seed)
    drawn = random.normal(size=(number, dimension)) * np.arange(1, dimension + 1) ** -0.7
    if kind == "clusters":
        drawn = 0.3 * drawn + 3 * random.normal(size=(number // 60, dimension))[np.arange(number) % (number // 60)]
    elif kind == "pairs":
        drawn = np.repeat(drawn[: -(-number // 2)], 2, axis=0)[:number]
    elif kind == "many copies":
        drawn = drawn[np.arange(number) % 7]
    elif kind == "equal":
        drawn[:] = drawn[0]
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def cosines(vectors: np.ndarray) -> np.ndarray:
    """All pairs, in double precision; an image is nothing to itself."""
    whole = vectors.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    result = whole @ whole.T
    np.fill_diagonal(result, -np.inf)
    return result


@pytest.mark.parametrize(
    ("kind", "least"), [("falling", 0.97), ("clusters", 0.97), ("pairs", 0.97), ("many copies", 1), ("equal", 1)]
)
def test_it_finds_nearly_all_and_knows_how_much(tmp_path, kind, least) -> None:
    vectors = directions(kind, 1500)
    ids, similarities, facts = near(tmp_path, vectors, effort=Effort(**{**vars_of(LITTLE), "queries": 1500}))
    true = cosines(vectors)
    for row, line in enumerate(ids.tolist()):
        assert len({*line, row}) == 11, "others, each once"
    found = np.take_along_axis(true, ids.astype(np.int64), axis=1)
    assert (np.diff(found, axis=1) <= 1e-6).all(), "best first"
    np.testing.assert_allclose(similarities.astype(float), found, atol=1e-3)
    last = -np.sort(-true, axis=1)[:, [0, 9]]
    for k, of_last in zip((1, 10), last.T, strict=True):
        recall = np.mean(found[:, :k] >= of_last[:, None] - 1e-6)
        assert facts[f"recall_at_{k}"] == pytest.approx(recall, abs=1e-9)
        assert recall >= least
    assert "recall_at_100" not in facts


def vars_of(effort: Effort) -> dict:
    """Its fields."""
    return {name: getattr(effort, name) for name in Effort.__dataclass_fields__}


@pytest.mark.parametrize("precision", [np.float16, np.float32])
@pytest.mark.parametrize("kind", ["falling", "pairs", "many copies", "equal"])
def test_rows_with_little_in_common_are_compared_alone_and_as_well(tmp_path, monkeypatch, kind, precision) -> None:
    vectors = directions(kind, 1500)
    if precision == np.float32:
        vectors = vectors.astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    true = cosines(vectors)
    monkeypatch.setattr(descent, "_SHARED", 0)
    ids, similarities, facts = near(tmp_path, vectors)
    for row, line in enumerate(ids.tolist()):
        assert len({*line, row}) == 11, "others, each once"
    found = np.take_along_axis(true, ids.astype(np.int64), axis=1)
    assert (np.diff(found, axis=1) <= 1e-6).all(), "best first"
    np.testing.assert_allclose(similarities.astype(float), found, atol=1e-3)
    assert facts["recall_at_10"] >= 0.97


def test_rounds_find_more_and_end_when_enough_is_found(tmp_path) -> None:
    vectors = directions("falling", 1500)
    little = {**vars_of(LITTLE), "nearby": 60}
    recalls = []
    for rounds in (0, 1, 3):
        effort = Effort(**{**little, "rounds": rounds, "enough": 1.1, "read": 0})
        facts = near(tmp_path / str(rounds), vectors, effort=effort)[2]
        assert facts["rounds"] == rounds
        recalls.append(facts["recall_at_10"])
    assert recalls[0] < recalls[1] <= recalls[2]
    enough = Effort(**{**little, "rounds": 3, "enough": recalls[0] - 0.2})
    assert near(tmp_path / "enough", vectors, effort=enough)[2]["rounds"] == 0


def test_what_descent_does_not_come_to_is_read(tmp_path) -> None:
    vectors = directions("falling", 1500)
    little = {**vars_of(LITTLE), "nearby": 60, "candidates": 60, "rounds": 1, "enough": 0.999, "added": 40}
    recalls = [
        near(tmp_path / str(read), vectors, effort=Effort(**{**little, "read": read}))[2]["recall_at_10"]
        for read in (0, 0.9, 1)
    ]
    assert recalls[0] < 0.8
    assert recalls[0] < recalls[1] < recalls[2]
    assert recalls[2] >= 0.995
    enough = {**little, "enough": recalls[0] - 0.1}
    found = [near(tmp_path / f"enough {read}", vectors, effort=Effort(**{**enough, "read": read})) for read in (0, 1)]
    assert found[0][0].tobytes() == found[1][0].tobytes()


def test_rows_without_a_vector_are_no_neighbors(tmp_path) -> None:
    vectors = directions("falling", 700)
    valid = np.random.default_rng(2).random(700) < 0.8
    vectors[~valid] = 0
    ids = near(tmp_path, vectors, rows=np.flatnonzero(valid))[0]
    assert (ids[~valid] == -2).all()
    assert valid[ids[valid]].all()


@pytest.mark.parametrize("number", [12, 31, 65])
def test_few_rows_are_all_compared(tmp_path, number) -> None:
    vectors = directions("falling", number)
    ids, _, facts = near(tmp_path, vectors)
    expected = -np.sort(-cosines(vectors), axis=1)[:, :10]
    found = np.take_along_axis(cosines(vectors), ids.astype(np.int64), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert facts["recall_at_10"] == 1


def test_what_is_stopped_anywhere_goes_on_to_the_same_bytes_on_any_number_of_cores(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(descent, "_SHARD", 256)
    vectors, effort = directions("falling", 1000), Effort(**{**vars_of(LITTLE), "rounds": 2, "enough": 1.1})
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    told: list[int] = []
    whole = near(tmp_path / "whole", vectors, effort=effort, progress=lambda step, done, total: told.append(done))
    assert told == sorted(told)
    assert max(told) < 1000
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    kept, stops = Shards.kept, 0

    def ends_once(shards, name, make, **options):
        """Is killed at each part when it is first come to, just before it is written."""

        def killed():
            made = make()
            if name not in come_to:
                come_to.add(name)
                raise KeyboardInterrupt
            return made

        return kept(shards, name, killed, **options)

    come_to: set[str] = set()
    monkeypatch.setattr(Shards, "kept", ends_once)
    while True:
        try:
            again = near(tmp_path / "stopped", vectors, effort=effort)
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 5
    for one, other in zip(whole[:2], again[:2], strict=True):
        assert one.tobytes() == other.tobytes()
    assert whole[2] == again[2]
    monkeypatch.setattr(Shards, "kept", kept)
    monkeypatch.setattr(
        "radcbir_core.search.engines.shards.write_array", lambda *_, **__: pytest.fail("made once more")
    )
    assert near(tmp_path / "stopped", vectors, effort=effort)[2] == whole[2]


def test_more_directions_are_looked_at_where_a_sample_needs_them(tmp_path) -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(900, 64))
    for name, drawn, number in (("flat", flat, 64), ("falling", flat * np.exp(-np.arange(64) / 3), 16)):
        vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
        assert near(tmp_path / name, vectors)[2]["dimensions"] == number
    found = main_directions(ArrayVectors(vectors), np.arange(900))
    np.testing.assert_allclose(found.T @ found, np.eye(64), atol=1e-5)
    squares = np.square(vectors.astype(float) @ found).sum(axis=0)
    assert (np.diff(squares) <= 1e-3).all()


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 256),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    k=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_the_first_are_those_that_sorting_puts_first(queries, sizes, k, seed) -> None:
    random = np.random.default_rng(seed)
    # Small whole numbers, so that many products are equal, and some are 0 or below.
    asked = random.integers(-2, 3, (queries, 3)).astype(np.float32)
    vectors = random.integers(-2, 3, (sum(sizes), 3)).astype(np.float32)
    numbers = random.permutation(1000)[: sum(sizes)]
    cuts = np.cumsum(sizes)[:-1]
    found, similarities = first_of(asked, zip(np.split(numbers, cuts), np.split(vectors, cuts), strict=True), k=k)
    products = asked @ vectors.T
    for query in range(queries):
        order = np.lexsort((np.arange(sum(sizes)), -products[query]))[:k]
        assert found[query, : len(order)].tolist() == numbers[order].tolist()
        assert similarities[query, : len(order)].tolist() == products[query, order].tolist()
        assert (found[query, len(order) :] == -1).all()
        assert np.isnan(similarities[query, len(order) :]).all()


def test_fewer_kept_than_wanted_and_cells_that_are_too_large_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="Expected cells of 1 to 128 rows, but cell = 129"):
        near(tmp_path, directions("falling", 100), effort=Effort(cell=129))
    with pytest.raises(ValueError, match="Expected more rows kept than wanted, but kept = 40, width = 40"):
        near(tmp_path, directions("falling", 100), width=40)
