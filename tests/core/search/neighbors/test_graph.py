"""The neighbor graph and the hits that are read from it, against a search over every pair."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import radcbir_core.search.neighbors.graph as graph
from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.collections.layout import EncoderLayout
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.records.record_rules import ENCODER, odd_field
from radcbir_core.search.neighbors.graph import DESCENT, build_neighbors, known_hits, ranked_hits
from radcbir_core.search.neighbors.neighbor_descent import Effort, approximate_neighbors
from radcbir_core.storage import digest_of


class FakeCollection:
    """As much of a collection as a graph needs."""

    def __init__(self, number: int, patients: np.ndarray, duplicates: np.ndarray) -> None:
        columns = {name: [""] * number for name in COLUMNS}
        columns |= {"width": [1] * number, "height": [1] * number, "image_id": [str(i) for i in range(number)]}
        columns["duplicate_group"] = duplicates.tolist()
        columns["patient_id"] = [f"p{p}" if p >= 0 else "" for p in patients]
        columns["pathologies"] = pa.array([[]] * number, pa.list_(pa.string()))
        self.manifest = Manifest(pa.table(columns), digest="m")
        self.name = "fake"


class FakeStore:
    """As much of an encoder's results as a graph needs."""

    def __init__(self, folder, embeddings: np.ndarray, valid: np.ndarray, collection: FakeCollection) -> None:
        self.folder, self.embeddings, self.valid, self.collection = folder, embeddings, valid, collection
        self.record = {"neighbors": {"method": "exact"}}
        self.encoder_id = "fake"
        self.layout = EncoderLayout(folder)
        self.embeddings_path, self.index_path = folder / "embeddings.npy", folder / "index.usearch"
        np.save(self.embeddings_path, embeddings)

    def index_fault(self):
        return ""

    def open_array(self, artifact, path):
        return np.load(path, mmap_mode="r")

    def mark(self, artifact, **facts):
        self.record[artifact.name] = facts

    note = mark

    def made_digest(self, artifact):
        return digest_of(self.embeddings.tobytes())

    def is_current(self, *artifacts):
        return INDEX not in artifacts or self.index_path.exists()

    def facts(self, artifact):
        return self.record.get(artifact.name, {})

    @property
    def neighbor_ids(self):
        return np.load(self.layout.files(NEIGHBORS)[0], mmap_mode="r")

    @property
    def neighbor_similarities(self):
        return np.load(self.layout.files(NEIGHBORS)[1], mmap_mode="r")


def store(folder, number: int, *, seed: int = 0, patients: int = 5, invalid: float = 0.1) -> FakeStore:
    random = np.random.default_rng(seed)
    embeddings = random.normal(size=(number, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    valid = random.random(number) >= invalid
    embeddings[~valid] = 0
    owners = random.integers(-1, patients, number)
    duplicates = np.where(random.random(number) < 0.3, random.integers(0, 3, number), -1)
    return FakeStore(folder, embeddings.astype(np.float16), valid, FakeCollection(number, owners, duplicates))


def oracle(s: FakeStore, query: int, k: int, gallery, exclude) -> list[int]:
    groups = [s.collection.manifest.groups(name) for name in exclude]
    pairs = []
    for row in range(len(s.valid)):
        shares = any(g[row] == g[query] and g[query] >= 0 for g in groups)
        if row != query and gallery[row] and s.valid[row] and not shares:
            pairs.append((-float(similarity(s, query, [row])[0]), row))
    return [row for _, row in sorted(pairs)[:k]]


def similarity(s: FakeStore, query: int, rows) -> np.ndarray:
    """Cosines: half-precision vectors are not quite of length 1."""
    one, others = s.embeddings[query].astype(float), s.embeddings[list(rows)].astype(float)
    return others @ one / np.linalg.norm(one) / np.linalg.norm(others, axis=1)


def assert_same_hits(s: FakeStore, query: int, found, expected) -> None:
    assert len(found) == len(set(found)) == len(expected)
    np.testing.assert_allclose(similarity(s, query, found), similarity(s, query, expected), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    number=st.integers(1, 60),
    k=st.integers(1, 20),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
    width=st.integers(1, 30),
    exclude=st.sets(st.sampled_from(["patient", "duplicate", "study", "dataset"])),
)
def test_ranked_hits_agree_with_the_oracle(tmp_path_factory, number, k, seed, share, width, exclude) -> None:
    """Also where the graph is far too narrow for the exclusions: those queries are searched again."""
    s = store(tmp_path_factory.mktemp("s"), number, seed=seed, patients=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "NEIGHBORS", width)
        build_neighbors(s)
    gallery = np.random.default_rng(seed).random(number) < share
    queries = np.flatnonzero(s.valid)
    hits = ranked_hits(s, queries, k=k, gallery=gallery, exclude=sorted(exclude))
    assert hits.rows.shape == (len(queries), k)
    for q, query in enumerate(queries):
        expected = oracle(s, int(query), k, gallery, exclude)
        assert hits.counts[q] == len(expected)
        assert_same_hits(s, int(query), hits.rows[q, : len(expected)].tolist(), expected)
        assert (hits.rows[q, len(expected) :] == -1).all()
    # What the graph has of them, and not one more: nothing is searched.
    known = known_hits(s, queries, k=k, gallery=gallery, exclude=sorted(exclude))
    for q, query in enumerate(queries):
        neighbors = s.neighbor_ids[query].tolist()
        left = [row for row in neighbors if row in set(oracle(s, int(query), number, gallery, exclude))][:k]
        assert known.rows[q].tolist() == left + [-1] * (k - len(left))
        assert known.counts[q] == len(left)
        np.testing.assert_array_equal(known.similarities[q, : len(left)], similarities_of(s, int(query), left))
        assert np.isnan(known.similarities[q, len(left) :]).all()


def similarities_of(s: FakeStore, query: int, rows: list[int]) -> list[float]:
    """What the graph says of some neighbors."""
    told = dict(zip(s.neighbor_ids[query].tolist(), s.neighbor_similarities[query].tolist(), strict=True))
    return [told[row] for row in rows]


def test_the_graph_holds_the_nearest_others_best_first(tmp_path) -> None:
    s = store(tmp_path, 300, seed=4)
    assert build_neighbors(s) == {"method": "exact"}
    everything = np.ones(300, dtype=bool)
    assert s.neighbor_ids.shape == (300, 100)
    assert s.neighbor_ids.dtype == np.int32
    for row in range(0, 300, 23):
        if s.valid[row]:
            assert_same_hits(s, row, s.neighbor_ids[row].tolist(), oracle(s, row, 100, everything, []))
            assert (np.diff(s.neighbor_similarities[row].astype(np.float32)) <= 0).all()
        else:
            assert (s.neighbor_ids[row] == -1).all()
            assert np.isnan(s.neighbor_similarities[row]).all()


def test_an_exact_graph_goes_on_where_it_was_stopped_and_is_the_same_on_any_number_of_cores(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(graph, "_SHARD", 100)
    s = store(tmp_path, 500, seed=5)
    build_neighbors(s)
    whole = [path.read_bytes() for path in s.layout.files(NEIGHBORS)]
    assert not s.layout.unfinished(NEIGHBORS).exists()
    for path in s.layout.files(NEIGHBORS):
        path.unlink()
    finished = int(s.valid.sum()) // 100 * 100

    def stops(step: str, done: int, total: int) -> None:
        if done == finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_neighbors(s, progress=stops)
    assert len(list(s.layout.unfinished(NEIGHBORS).rglob("*.npy"))) == 3
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    compared = []
    first_hits = graph.first_hits
    monkeypatch.setattr(
        graph, "first_hits", lambda *args, **options: compared.append(1) or first_hits(*args, **options)
    )
    told = []
    build_neighbors(s, progress=lambda step, done, total: told.append((step, done, total)))
    assert [path.read_bytes() for path in s.layout.files(NEIGHBORS)] == whole
    assert len(compared) == 2
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1] == ("neighbors", 500, 500)
    assert {total for _, _, total in told} == {500}


def test_a_large_collection_s_graph_is_approximate_and_says_what_it_misses(tmp_path, monkeypatch) -> None:
    """Made without an index; its recall is that which counting every row's true neighbors gives."""
    monkeypatch.setattr(graph, "EXACT_ROWS", 500)
    monkeypatch.setattr(graph, "NEIGHBORS", 10)
    effort = Effort(cell=32, nearby=60, candidates=150, kept=20, rounds=1, queries=10_000)
    monkeypatch.setattr(graph, "approximate_neighbors", partial(approximate_neighbors, effort=effort))
    s = store(tmp_path, 800, seed=6)
    facts = build_neighbors(s)
    assert (facts["method"], facts["engine"], facts["recall_queries"]) == ("approximate", DESCENT, int(s.valid.sum()))
    assert odd_field({"neighbors": facts}, ENCODER) == ""
    s.mark(NEIGHBORS, **facts)
    hits = ranked_hits(s, np.flatnonzero(s.valid)[:2], k=5, gallery=s.valid)
    assert hits.found_by().startswith("approximate search (neighbor descent, which finds ")
    rows = np.flatnonzero(s.valid)
    true = np.array([similarity(s, row, rows) for row in rows.tolist()])
    np.fill_diagonal(true, -np.inf)
    least = -np.sort(-true, axis=1)[:, 9:10] - 1e-6
    found = np.take_along_axis(true, np.searchsorted(rows, s.neighbor_ids[rows]), axis=1) >= least
    assert facts["recall_at_10"] == pytest.approx(np.mean(found), abs=1e-9)
    assert 0.5 < facts["recall_at_10"] < 1
    assert (s.neighbor_ids[~s.valid] == -1).all()
    assert np.isnan(s.neighbor_similarities[~s.valid]).all()
    assert not s.layout.unfinished(NEIGHBORS).exists()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_tiny_collections(tmp_path, number) -> None:
    s = store(tmp_path, number, invalid=0)
    build_neighbors(s)
    assert s.neighbor_ids.shape == (number, number - 1)
    hits = ranked_hits(s, np.arange(number), k=5, gallery=np.ones(number, dtype=bool))
    assert hits.counts.tolist() == [number - 1] * number
