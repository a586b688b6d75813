"""The kinds of query: what stands for which, what each may not return, and that a further one is one class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.errors import ImageError, ImageNotFoundError, QueryError
from radcbir_core.search.backend import Exclusion, unit
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.queries.query import (
    ChangedQuery,
    EmbeddedQuery,
    ImageQuery,
    Known,
    Means,
    Measure,
    Query,
    RowQuery,
    TextQuery,
    VectorQuery,
    query_of,
)
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions, kept_embeddings


@pytest.fixture
def small(small_data, monkeypatch) -> Collection:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def test_what_is_plain_stands_for_a_query(small) -> None:
    path = small.image_path(5)
    image_id = small.manifest.record(5)["image_id"]
    pixels = small.read_image(5).pixels
    assert query_of(5, small) == query_of(np.int32(5), small) == query_of(image_id, small) == RowQuery((5,))
    assert query_of([5, 3], small) == query_of(np.array([5, 3]), small) == RowQuery((5, 3))
    for asked in (path, path.read_bytes(), pixels):
        query = query_of(asked, small)
        assert isinstance(query, ImageQuery)
        np.testing.assert_array_equal(query.pixels, pixels)
        assert query.sha256 == ("" if asked is pixels else hashlib.sha256(path.read_bytes()).hexdigest())
    sentence = TextQuery("CT of the head")
    assert query_of(sentence, small) is sentence


@pytest.mark.parametrize("asked", [0.5, None, [], [[1, 2]], ["a", "b"], np.ones(8), {"row": 1}])
def test_what_stands_for_none_is_said(small, asked) -> None:
    with pytest.raises(QueryError, match=r"Expected a row, an image_id, a path, .* For a sentence use TextQuery"):
        query_of(asked, small)


def test_an_image_that_is_not_there_is_named(small, tmp_path) -> None:
    with pytest.raises(ImageNotFoundError, match="chest with effusion"):
        query_of("chest with effusion", small)
    with pytest.raises(QueryError, match=r"Expected an image file, but .* does not exist"):
        query_of(Path(tmp_path / "none.png"), small)
    with pytest.raises(ImageError):
        query_of(b"no image", small)
    for row in (-1, 61):
        with pytest.raises(QueryError, match=f"Expected rows from 0 to 60, but row = {row}"):
            Retriever(small, "pixels").search(row)


def test_every_way_to_ask_for_an_image_finds_the_same(small) -> None:
    retriever = Retriever(small, "pixels")
    path = small.image_path(5)
    by_row = retriever.search(5, k=6).rows().tolist()
    for asked in (
        path,
        path.read_bytes(),
        small.read_image(5).pixels,
        VectorQuery(kept_embeddings(retriever.store)[5]),
    ):
        assert retriever.search(asked, k=7).rows().tolist() == [5, *by_row], "from outside, it finds itself"


def test_each_kind_says_what_its_number_means_and_what_is_known_of_it() -> None:
    kinds = [RowQuery((0,)), ImageQuery(np.zeros((2, 2), np.uint8)), TextQuery("x"), VectorQuery(np.ones(2))]
    assert [kind.measure for kind in kinds] == ["similarity", "similarity", "text_similarity", "similarity"]
    assert [kind.known for kind in kinds] == ["always", "if in the collection", "never", "never"]


def test_vectors_have_nobody_to_leave_out(small) -> None:
    retriever = Retriever(small, "pixels")
    with pytest.raises(QueryError, match=r"Expected no exclusions with vectors, but exclude = patient\."):
        retriever.search(VectorQuery(kept_embeddings(retriever.store)[5]), exclude=["patient"])


@dataclass(frozen=True, slots=True)
class Between:
    """What lies between two images: a kind of query that the core does not have."""

    first: int
    second: int
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="always", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:
        both = means.searcher.queries_of(np.array([self.first, self.second]))
        return EmbeddedQuery(self, unit(both.sum(axis=0), dimension=means.searcher.dimension), ("between two",))

    def exclusions(self, store, exclude: Sequence[str]) -> list[Exclusion]:
        return [each for row in (self.first, self.second) for each in exclusions_of(store, np.array([row]), exclude)]


def test_a_further_kind_is_one_class(small) -> None:
    query = Between(3, 40)
    assert isinstance(query, Query)
    answer = Retriever(small, "pixels").search(query, k=5, exclude=["patient"])
    assert answer.notes == ("between two",)
    vectors = directions(small.store("pixels"))
    wanted = vectors[3] / np.linalg.norm(vectors[3]) + vectors[40] / np.linalg.norm(vectors[40])
    patient = small.manifest.groups("patient")
    theirs = {patient[row] for row in (3, 40) if patient[row] >= 0}
    may = np.array([row not in (3, 40) and patient[row] not in theirs for row in range(61)])
    order = np.argsort(np.where(may, -(vectors @ wanted), np.inf), kind="stable")[:5]
    assert answer.rows().tolist() == order.tolist()


def test_a_changed_image_may_not_return_what_its_original_may_not(small) -> None:
    retriever, image = Retriever(small, "pixels"), small.read_image(5)
    sha256 = hashlib.sha256(small.image_path(5).read_bytes()).hexdigest()
    for original in (RowQuery((5,)), ImageQuery(image.pixels, sha256)):
        same, other = (ChangedQuery(pixels, original) for pixels in (image.pixels, 255 - image.pixels))
        assert (same.known, same.measure) == (original.known, original.measure)
        expected = retriever.search(original, k=60, exclude=["patient"])
        assert retriever.search(same, k=60, exclude=["patient"]).rows().tolist() == expected.rows().tolist()
        # What is inverted is as unlike as can be; what may be returned is the same.
        inverted = retriever.search(other, k=60, exclude=["patient"])
        assert sorted(inverted.rows().tolist()) == sorted(expected.rows().tolist())
        assert inverted.rows()[0] != expected.rows()[0]
