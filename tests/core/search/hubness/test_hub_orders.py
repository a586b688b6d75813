"""Orders that hold hubs back, against plain Python that looks at every pair of images."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import QueryError, StaleError
from radcbir_core.search import retriever as retriever_module
from radcbir_core.search.hubness.hub_orders import ORDERS, checked_order
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import RowQuery, TextQuery, VectorQuery
from radcbir_core.search.retriever import HIT_COLUMNS, Retriever
from tests.kept_embeddings import directions
from tests.small_images import draw

CORRECTED = [order for order in ORDERS if order != "cosine"]


@pytest.fixture(scope="module")
def small(small_data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(small_data))
        yield open_collection("small")


def half(value):
    return float(np.float16(value))


def slow(collection, vector, order, *, row=None, filtered=None):
    """The rows that a query is given, its patient left out, best first, and their ranks by cosine."""
    vectors = directions(collection.store("pixels"))
    patients = collection.manifest.frame["patient_id"].tolist()

    def near(of, own, among):
        others = [
            other
            for other in among
            if other != own and (own is None or not patients[own] or patients[own] != patients[other])
        ]
        pairs = [(-float(np.float32(vectors[other] @ of)), other) for other in others]
        return [(other, -negative) for negative, other in sorted(pairs)]

    everybody = range(len(vectors))
    mine = near(vector, row, everybody)
    hits = near(vector, row, everybody if filtered is None else filtered)
    scores = {}
    for hit, alike in hits:
        around = [half(similarity) for _, similarity in near(vectors[hit], hit, everybody)]
        if order == "csls":
            scores[hit] = 2 * alike - sum(around[:10]) / 10
        else:
            nearer = sum(half(similarity) > half(alike) for _, similarity in mine)
            scores[hit] = (len(vectors) - nearer) * (len(vectors) - sum(other > half(alike) for other in around))
    rows = [hit for hit, _ in hits]
    best = sorted(rows, key=lambda hit: -scores[hit])
    return best, [rows.index(hit) + 1 for hit in best]


@pytest.mark.parametrize("order", CORRECTED)
@pytest.mark.parametrize("row", [0, 25, 60])
def test_an_image_s_hits_are_in_the_order_of_all_pairs(small, order, row) -> None:
    answer = Retriever(small, "pixels").search(row, k=12, exclude=["patient"], order=order)
    rows, ranks = slow(small, directions(small.store("pixels"))[row], order, row=row)
    assert answer.rows().tolist() == rows[:12]
    assert answer.ranks[0].tolist() == ranks[:12]
    vectors = directions(small.store("pixels"))
    assert answer.similarities() == pytest.approx(vectors[answer.rows()] @ vectors[row], abs=1e-6)


@pytest.mark.parametrize("order", CORRECTED)
def test_a_filter_takes_images_away_and_not_what_is_around_them(small, order) -> None:
    modality = small.manifest.record(0)["modality"]
    frame = small.manifest.frame
    filtered = [row for row in range(len(frame)) if frame["modality"][row] == modality]
    search = Retriever(small, "pixels").search
    answer = search(0, k=8, exclude=["patient"], order=order, where={"modality": [modality]})
    rows, _ = slow(small, directions(small.store("pixels"))[0], order, row=0, filtered=filtered)
    assert answer.rows().tolist() == rows[:8]


def test_what_is_around_the_query_is_known_as_far_as_its_candidates_reach_filtered_or_not(small, monkeypatch) -> None:
    retriever, asked = Retriever(small, "pixels"), []
    search = retriever._searcher.search

    def told(vectors, **options):
        asked.append((options["k"], options.get("allowed") is None))
        return search(vectors, **options)

    monkeypatch.setattr(retriever._searcher, "search", told)
    everything = {"modality": sorted(set(small.manifest.frame["modality"]))}
    filtered = retriever.search(0, k=30, order="mutual-proximity", where=everything)
    assert asked == [(300, False), (300, True)]
    assert filtered.rows().tolist() == retriever.search(0, k=30, order="mutual-proximity").rows().tolist()


@pytest.mark.parametrize("order", CORRECTED)
def test_an_image_from_outside_is_ordered_by_its_own_neighbors(small, order) -> None:
    pixels = np.asarray(draw(1, 99))
    encoder = load_encoder("pixels")
    answer = Retriever(small, "pixels", encoder=lambda: encoder).search(pixels, k=15, exclude=["patient"], order=order)
    rows, ranks = slow(small, answer.query.vectors[0], order)
    assert answer.rows().tolist() == rows[:15]
    assert answer.ranks[0].tolist() == ranks[:15]
    vectors = Retriever(small, "pixels").search(VectorQuery(answer.query.vectors), k=15, order=order)
    assert len(vectors) == 15


@pytest.mark.parametrize("order", CORRECTED)
def test_several_are_ordered_as_each_alone(small, order) -> None:
    retriever = Retriever(small, "pixels")
    both = retriever.search(RowQuery((3, 60)), k=6, order=order)
    for query, row in enumerate((3, 60)):
        assert both.rows(query).tolist() == retriever.search(row, k=6, order=order).rows().tolist()


def test_only_candidates_are_ordered_and_it_is_said(small, monkeypatch) -> None:
    retriever = Retriever(small, "pixels")
    monkeypatch.setattr(retriever_module, "candidates", lambda _k: 5)
    by_cosine = retriever.search(0, k=5)
    answer = retriever.search(0, k=5, order="mutual-proximity")
    assert sorted(answer.rows().tolist()) == sorted(by_cosine.rows().tolist())
    assert answer.rows().tolist() != by_cosine.rows().tolist()
    assert "by mutual proximity, which holds hubs back: the first 5 by cosine" in answer.ordered_by
    assert answer.ordered_by in answer._repr_html_()
    table = answer.table()
    assert list(table.columns) == ["rank", "cosine_rank", *HIT_COLUMNS[1:]]
    assert [by_cosine.rows()[rank - 1] for rank in table["cosine_rank"]] == answer.rows().tolist()
    assert by_cosine.ranks is None
    assert by_cosine.ordered_by == ""
    monkeypatch.setattr(retriever_module, "candidates", lambda _k: 1)
    assert retriever.search(0, k=1, order="csls").ordered_by == "", "one alone has no order"
    assert list(by_cosine.table().columns) == list(HIT_COLUMNS)


def test_where_nothing_is_left_nothing_is_ordered(small) -> None:
    frame = small.manifest.frame
    only = frame["modality"].tolist().count(frame["modality"][0])
    where = {"modality": [frame["modality"][0]], "dataset": [frame["dataset"][0]]}
    for order in CORRECTED:
        answer = Retriever(small, "pixels").search(0, k=100, where=where, order=order)
        assert 0 < len(answer) < only
        assert answer.candidates == len(answer)
        with pytest.raises(QueryError, match="k = 0"):
            Retriever(small, "pixels").search(0, k=0, order=order)


@pytest.mark.parametrize("order", CORRECTED)
def test_a_text_is_refused_before_an_encoder_is_loaded(small, order) -> None:
    def refuse():
        raise AssertionError("loaded")

    with pytest.raises(QueryError, match=rf"by {ORDERS[order]}, but the query is a text.*: order by cosine"):
        Retriever(small, "pixels", encoder=refuse).search(TextQuery("a chest"), order=order)
    assert checked_order("cosine", TextQuery("a chest"), small.store("pixels")) == "cosine"


@pytest.mark.parametrize("order", CORRECTED)
def test_the_sum_of_images_is_ordered_as_an_image_and_with_a_text_it_is_refused(small, order) -> None:
    retriever = Retriever(small, "pixels")
    alone = ComposedQuery((Part(RowQuery((0,))),))
    assert retriever.search(alone, order=order).rows().tolist() == retriever.search(0, order=order).rows().tolist()
    both = ComposedQuery((Part(RowQuery((0,))), Part(RowQuery((9,)), -0.5)))
    assert len(retriever.search(both, order=order)) == 10
    with_text = ComposedQuery((Part(RowQuery((0,))), Part(TextQuery("a chest"), 0.1)))
    with pytest.raises(QueryError, match=r"there is a text in the query.*: order by cosine"):
        retriever.search(with_text, order=order)


def test_an_order_that_there_is_not_is_named(small) -> None:
    with pytest.raises(QueryError, match="of cosine, csls, mutual-proximity, but order = 'euclid'"):
        Retriever(small, "pixels").search(0, order="euclid")


def test_without_a_graph_only_cosine_is_left(small, tmp_path, monkeypatch) -> None:
    shutil.copytree(small.folder, tmp_path / "collections" / "small")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    copied = open_collection("small")
    for path in copied.store("pixels").layout.files(NEIGHBORS):
        path.unlink()
    retriever = Retriever(copied, "pixels")
    assert len(retriever.search(0, order="cosine")) == 10
    with pytest.raises(StaleError, match=r"Expected a neighbor graph .* or order by cosine"):
        retriever.search(0, order="csls")
