"""A whole series asks: what it may not return, which slice fits best, against every pair of slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.encoders import load_encoder
from radcbir_core.errors import ImageNotFoundError, QueryError
from radcbir_core.images import decode_image
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from radcbir_core.search.retriever import Retriever
from radcbir_core.search.series import series_search as module
from radcbir_core.search.series.series_search import (
    COLUMNS,
    VolumeQuery,
    rows_of_series,
    search_series,
    series_codes,
    thinned,
)
from radcbir_core.search.series.votes import RULES
from tests.core.images.nifti_files import nifti_bytes
from tests.kept_embeddings import directions

SERIES = [("a", "p1", 4), ("b", "p1", 3), ("c", "p2", 5), ("d", "p3", 2), ("", "p4", 1), ("", "p2", 1)]


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Volumes of noise around a pattern of their own, and two images without a series."""
    folder = tmp_path_factory.mktemp("scans")
    random = np.random.default_rng(0)
    lines = ["path,series_id,patient_id,pathology,modality,anatomy"]
    for number, (series, patient, slices) in enumerate(SERIES):
        pattern = random.integers(0, 256, (12, 12))
        for place in range(slices):
            noise = random.normal(0, 25, pattern.shape)
            path = f"{number}-{place}.png"
            Image.fromarray((pattern + noise).clip(0, 255).astype(np.uint8)).save(folder / path)
            lines.append(f"{path},{series},{patient},{'mass' if number % 2 else 'normal'},CT,chest")
    (folder / "manifest.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        build_collection(import_as(ImportRequest([folder], "scans")).collection, load_encoder("pixels"))
    return folder / "data"


@pytest.fixture
def retriever(scans, monkeypatch) -> Retriever:
    from radcbir_core.collections.collection import open_collection

    monkeypatch.setenv("RADCBIR_DATA", str(scans))
    return Retriever(open_collection("scans"), "pixels")


def slow(retriever: Retriever, rows: list[int], left_out: set[int]) -> list[tuple[float, int, int]]:
    """Mean of best matches of every series that is left: score, its best row, and which slice asked; best first."""
    vectors = directions(retriever.store)
    codes = series_codes(retriever.collection)
    found = []
    for code in sorted(set(codes.tolist())):
        members = [row for row in range(len(codes)) if codes[row] == code and row not in left_out]
        if members:
            pairs = [[float(vectors[q] @ vectors[m]) for m in members] for q in rows]
            score = sum(max(line) for line in pairs) / len(rows)
            _, member, query = max((pairs[q][m], -m, q) for q in range(len(rows)) for m in range(len(members)))
            found.append((score, members[-member], query))
    return sorted(found, key=lambda one: -one[0])


@pytest.mark.parametrize("row", [0, 5, 8, 13, 14])
@pytest.mark.parametrize("exclude", [[], ["patient"]])
def test_the_order_is_that_of_every_pair_of_slices(retriever, row, exclude) -> None:
    own = rows_of_series(retriever.collection, row).tolist()
    patient = retriever.collection.manifest.groups("patient")
    left_out = set(own) | ({r for r in range(16) if patient[r] == patient[row]} if exclude else set())
    answer = search_series(retriever, row, exclude=exclude)
    expected = slow(retriever, own, left_out)
    assert answer.asked == tuple(own)
    assert [(hit.row, hit.query_slice) for hit in answer.hits] == [(r, q) for _, r, q in expected]
    np.testing.assert_allclose([hit.score for hit in answer.hits], [score for score, _, _ in expected], atol=1e-6)
    table = answer.table()
    assert list(table.columns) == list(COLUMNS)
    assert not set(table["series_id"]) & ({"a", "b", "c", "d"} & {SERIES[0][0]} if row < 4 else set())
    assert table["rank"].tolist() == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_series_once_and_none_of_its_own(retriever, rule) -> None:
    answer = search_series(retriever, "scans/0-1.png" if False else 1, rule=rule, k=3)
    names = [hit.series_id for hit in answer.hits]
    assert len(answer) == 3
    assert "a" not in names
    assert len({name for name in names if name}) == len([name for name in names if name])
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert "asked, and series are ordered by" in answer.said
    assert answer.said in answer._repr_html_()


def test_filters_and_a_part_of_the_slices(retriever) -> None:
    answer = search_series(retriever, 0, every=2, where={"pathologies": ["mass"]})
    assert answer.asked == (1, 3)
    assert {hit.series_id for hit in answer.hits} == {"b", "d", ""}
    among = np.zeros(16, dtype=bool)
    among[[4, 5, 15]] = True
    hits = search_series(retriever, 0, among=among).hits
    assert {hit.row for hit in hits} <= {4, 5, 15}
    assert [hit.slices for hit in hits if hit.series_id == "b"] == [3]  # of the series, not of the filter
    assert not search_series(retriever, 0, among=np.zeros(16, dtype=bool)).hits
    assert search_series(retriever, 0, among=np.zeros(16, dtype=bool)).table().empty


def test_a_few_candidates_are_searched_for_deeper(retriever, monkeypatch) -> None:
    whole = search_series(retriever, 0)
    monkeypatch.setattr(module, "DEPTH", 1)
    assert [hit.row for hit in search_series(retriever, 0).hits] == [hit.row for hit in whole.hits]


def test_a_volume_from_outside_asks(retriever, tmp_path) -> None:
    slices = np.stack([retriever.collection.read_image(row).pixels for row in (7, 8, 9)])
    volume = np.ascontiguousarray(np.flip(slices, axis=(1, 2)).transpose(2, 1, 0))
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(nifti_bytes(volume, spacing=(1, 1, 4), packed=True))
    query = VolumeQuery.of_file(file)
    assert query.numbers == (0, 1, 2)
    np.testing.assert_array_equal(query.pixels[1], slices[1])
    answer = search_series(retriever, query, k=2)
    assert answer.hits[0].series_id == "c"
    assert answer.hits[0].score == pytest.approx(1, abs=1e-5)
    assert answer.table()["query_slice"][0] in {"0", "1", "2"}
    assert len(query.rows_in(retriever.collection)) == 0
    image = retriever.collection.image_path(7)
    alone = VolumeQuery.of_file(image)  # the collection has this very file: its series is known
    np.testing.assert_array_equal(alone.pixels[0], decode_image(image).pixels)
    assert alone.rows_in(retriever.collection).tolist() == [7]
    found = [hit.series_id for hit in search_series(retriever, alone, exclude=["patient"]).hits]
    assert "c" not in found
    assert len(found) == 4  # nor the image of that patient which has no series


def test_errors_say_what_was_expected(retriever, tmp_path) -> None:
    for asked, message in [(99, "Expected rows from 0 to 15"), (-1, "but row = -1")]:
        with pytest.raises(QueryError, match=message):
            search_series(retriever, asked)
    with pytest.raises(ImageNotFoundError):
        search_series(retriever, "nobody")
    with pytest.raises(QueryError, match="at least one series, but k = 0"):
        search_series(retriever, 0, k=0)
    with pytest.raises(QueryError, match="rule = 'vote'"):
        search_series(retriever, 0, rule="vote")
    with pytest.raises(QueryError, match="every = 0"):
        search_series(retriever, 0, every=0)
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        search_series(retriever, 0, exclude=["hospital"])
    with pytest.raises(QueryError, match="does not exist"):
        VolumeQuery.of_file(tmp_path / "none.nii")
    retriever.store.valid[:] = False
    with pytest.raises(QueryError, match="Expected a series with an embedding"):
        search_series(retriever, 0)


def test_codes_of_series_and_which_slices_ask(retriever) -> None:
    codes = series_codes(retriever.collection)
    assert codes[:4].tolist() == [codes[0]] * 4
    assert len(set(codes.tolist())) == 6
    assert rows_of_series(retriever.collection, 14).tolist() == [14]
    for number in (1, 2, 64, 65, 130, 1000):
        chosen = thinned(number, None)
        assert 1 <= len(chosen) <= module.MOST_SLICES
        assert chosen[-1] < number
    assert thinned(5, 100) == [2]
