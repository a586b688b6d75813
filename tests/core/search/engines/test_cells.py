"""The engine of cells: what it finds under every kind of filter, against exact search, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import CollectionError
from radcbir_core.search.backend import ArrayVectors, Exclusion, Recall, unit
from radcbir_core.search.engines import cells
from radcbir_core.search.engines.cell_building import build_cells
from radcbir_core.search.engines.cells import Cells, code_of, expected_above, open_cells, read_content
from radcbir_core.search.engines.exact import Exact
from radcbir_core.search.engines.recall import neighbor_recall
from radcbir_core.search.engines.shards import Shards
from radcbir_core.storage import digest_file
from tests.core.search.oracle import blocked_by, vectors

NUMBER, DIMENSION = 6000, 24


@pytest.fixture(scope="module", autouse=True)
def few_at_once() -> Iterator[None]:
    """So that a query takes several rounds, of several pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "_FEWEST", 200)
        patch.setattr(cells, "_PIECE", 300)
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory, few_at_once) -> tuple[ArrayVectors, Path]:
    embeddings = vectors(NUMBER, DIMENSION, seed=7)
    valid = np.ones(NUMBER, dtype=bool)
    valid[[0, 17, NUMBER - 1]] = False
    embeddings[~valid] = 0
    source, path = ArrayVectors(embeddings), tmp_path_factory.mktemp("index") / "index.cells"
    build_cells(source, path, valid=valid, shards=Shards(path.with_name("parts"), "of these"), told=lambda *_: None)
    return source, path


def engine(built) -> Cells:
    source, path = built
    return open_cells(source, path, {"sha256": digest_file(path), "recall_at_10": 0.5})


def regions(built) -> np.ndarray:
    """Which sixth of the order of cells each row lies in; neighbors in the order are alike."""
    content = read_content(built[1])
    region = np.full(NUMBER, -1)
    region[content.rows] = np.arange(len(content.rows)) * 6 // len(content.rows)
    return region


def recall(built, queries, *, k, allowed, exclusions) -> float:
    """Of what it finds; that it is allowed, in order, and as much as there is, is asserted."""
    source, _ = built
    usable = source.array.any(axis=1) & allowed
    found = engine(built).search(queries, k=k, allowed=allowed, exclusions=exclusions)
    exact = Exact(source).search(queries, k=k, allowed=usable, exclusions=exclusions)
    assert found.method == "approximate"
    assert found.counts.tolist() == exact.counts.tolist()
    for query, count in enumerate(found.counts.tolist()):
        rows = found.rows[query, :count]
        assert len(set(rows.tolist())) == count
        assert usable[rows].all()
        assert not blocked_by(exclusions, query) & set(rows.tolist())
        similarities = found.similarities[query, :count]
        assert (np.diff(similarities) <= 0).all()
        lengths = np.linalg.norm(source.array[rows].astype(float), axis=1)
        np.testing.assert_allclose(similarities, source.array[rows].astype(float) @ queries[query] / lengths, atol=2e-6)
        assert (found.rows[query, count:] == -1).all()
    shares = neighbor_recall(found.similarities, exact.similarities, (k,))
    return float(np.nanmean(shares)) if not np.isnan(shares).all() else 1.0


@pytest.mark.parametrize("share", [1.0, 0.99, 0.5, 0.1, 0.01])
def test_random_filters(built, share) -> None:
    random = np.random.default_rng(1)
    rows = random.choice(np.arange(20, NUMBER - 1), 60, replace=False)
    groups = (np.arange(NUMBER) // 5).astype(np.int32)
    exclusions = [Exclusion.of_itself(rows, among=NUMBER), Exclusion(groups, groups[rows])]
    queries = unit(built[0].array[rows], dimension=DIMENSION)
    found = recall(built, queries, k=10, allowed=random.random(NUMBER) < share, exclusions=exclusions)
    assert found >= 0.995 or share < 0.5
    assert found >= 0.98


@pytest.mark.parametrize("there", [[0], [0, 5], [2, 3, 4]])
def test_filters_whose_rows_are_all_far(built, there) -> None:
    region = regions(built)
    rows = np.flatnonzero(~np.isin(region, [-1, *there]))[::80]
    queries = unit(built[0].array[rows], dimension=DIMENSION)
    assert recall(built, queries, k=10, allowed=np.isin(region, there), exclusions=[]) >= 0.98


def test_directions_that_lie_away_from_all_vectors(built) -> None:
    queries = unit(np.random.default_rng(2).normal(size=(60, DIMENSION)), dimension=DIMENSION)
    assert recall(built, queries, k=10, allowed=np.ones(NUMBER, dtype=bool), exclusions=[]) >= 0.98


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    k=st.sampled_from([1, 7, 40, 7000]),
    allowed=st.sampled_from(["none", "one", "few", "region", "most"]),
    excluded=st.sampled_from(["nothing", "itself", "half", "everything"]),
)
def test_it_gives_as_many_as_there_are_whatever_is_left_out(built, seed, k, allowed, excluded) -> None:
    random = np.random.default_rng(seed)
    share = {"none": 0, "one": 0, "few": 0.004, "region": 1, "most": 0.9}[allowed]
    mask = random.random(NUMBER) < share
    if allowed == "one":
        mask[random.integers(20, NUMBER - 1)] = True
    if allowed == "region":
        mask = regions(built) == random.integers(6)
    rows = random.integers(20, NUMBER - 1, size=2)
    everyone, halves = np.zeros(NUMBER, dtype=np.int32), (np.arange(NUMBER) % 2).astype(np.int32)
    exclusions = {
        "nothing": [],
        "itself": [Exclusion.of_itself(rows, among=NUMBER)],
        "half": [Exclusion(halves, np.array([0, -1])), Exclusion.of_itself(rows, among=NUMBER)],
        "everything": [Exclusion(everyone, np.array([0, 0]))],
    }[excluded]
    queries = unit(built[0].array[rows], dimension=DIMENSION)
    found = recall(built, queries, k=k, allowed=mask, exclusions=exclusions)
    assert found >= 0.8, "of few, one alone is a large share"


def test_a_filter_is_kept_for_the_next_query(built, monkeypatch) -> None:
    monkeypatch.setattr(cells, "_KEPT_FILTERS", 2)
    here = engine(built)
    queries = unit(built[0].array[[30]], dimension=DIMENSION)
    masks = [np.arange(NUMBER) % 7 == number for number in range(4)]
    first = [here.search(queries, k=5, allowed=mask).rows.tolist() for mask in masks]
    assert [here.search(queries, k=5, allowed=mask).rows.tolist() for mask in (*masks, masks[3])] == [*first, first[3]]
    assert len(here._filters._kept) == 2


def test_few_rows_are_read_where_the_hits_are_near(built, monkeypatch) -> None:
    read: list[int] = []
    looked = cells._Search._look_at

    def counted(self, chosen, *, floor):
        read.append(int((self._content.starts[chosen + 1] - self._content.starts[chosen]).sum()))
        return looked(self, chosen, floor=floor)

    monkeypatch.setattr(cells._Search, "_look_at", counted)
    rows = np.arange(100, 140)
    for row in rows:
        engine(built).search(unit(built[0].array[row], dimension=DIMENSION), k=10)
    assert sum(read) < len(rows) * NUMBER / 2


def test_it_says_what_it_is(built) -> None:
    here = engine(built)
    hits = here.search(unit(built[0].array[[3, 4]], dimension=DIMENSION), k=20)
    assert hits.rows[:, 0].tolist() == [3, 4]
    assert hits.found_by() == "approximate search (cells, which finds 50.0 % of the exact first 10)"
    assert here.recall == Recall(at_10=0.5)
    assert (here.search(np.empty((0, DIMENSION), dtype=np.float32), k=3).rows.shape) == (0, 3)


def test_codes_are_the_nearest_bytes() -> None:
    random = np.random.default_rng(0)
    some = random.normal(size=(50, 9)).astype(np.float32)
    some[7] = 0
    codes, scales = code_of(some)
    assert np.abs(codes).max(axis=1).tolist() == [127] * 7 + [0] + [127] * 42
    assert (np.abs(codes * scales[:, None] - some) <= scales[:, None] / 2 + 1e-6).all()


def test_what_is_expected_is_what_chance_gives() -> None:
    random = np.random.default_rng(0)
    drawn = (random.normal(0.2, 0.1, size=(400, 1000)) > 0.35).sum(axis=1).mean()
    means, deviations = np.array([0.2, 0.2, 0.4, 0.35]), np.array([0.1, 0, 0, 0])
    expected = expected_above(0.35, means, deviations, numbers=np.full(4, 1000))
    assert expected[0] == pytest.approx(drawn, rel=0.02)
    assert expected[1:].tolist() == [0, 1000, 0]


def test_a_changed_index_is_refused_before_it_is_read(built, tmp_path) -> None:
    source, path = built
    digest, query = digest_file(path), source.array[3:4].astype(np.float32)
    whole = path.read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"", whole[:-1] + b"\xff", whole + b"\x00")):
        changed = tmp_path / f"{number}.cells"
        changed.write_bytes(content)
        with pytest.raises(CollectionError, match=rf"Expected the index as it was built, but .*{number}\.cells has"):
            Cells(source, changed, digest=digest).search(query, k=1)
    with pytest.raises(CollectionError, match="none: No such file"):
        Cells(source, tmp_path / "none", digest=digest).search(query, k=1)


def test_what_is_no_index_is_refused_even_with_its_digest(built, tmp_path) -> None:
    source, path = built
    whole = path.read_bytes()
    content = read_content(path)
    rows = whole.index(content.rows.tobytes())
    starts = whole.index(content.starts.tobytes())
    cases = {
        "noise": b"\x07" * len(whole),
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "rows": whole[:rows] + b"\xff\xff\xff\x7f" + whole[rows + 4 :],
        "starts": whole[: starts + 8] + bytes(8) + whole[starts + 16 :],
    }
    for name, changed in cases.items():
        other = tmp_path / name
        other.write_bytes(changed)
        with pytest.raises(CollectionError, match="cannot be read"):
            Cells(source, other, digest=digest_file(other)).search(source.array[3:4].astype(np.float32), k=1)
    with pytest.raises(CollectionError, match="cannot be read"):
        Cells(ArrayVectors(source.array[:, :12]), path, digest=digest_file(path)).search(
            source.array[3:4, :12].astype(np.float32), k=1
        )
