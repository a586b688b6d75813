"""Retrieval with a whole series as the query: the switch, the hits, the address."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from radcbir_core.encoders import load_encoder
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from tests.pages.reading import cards, complaints, html, words


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Four series of three images of a pattern each, and one image alone."""
    folder = tmp_path_factory.mktemp("page-series")
    random = np.random.default_rng(0)
    lines = ["path,image_id,series_id,patient_id,pathology,modality,anatomy"]
    for number in range(4):
        pattern = random.integers(0, 256, (12, 12))
        for place in range(3):
            pixels = (pattern + random.normal(0, 25, pattern.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}-{place}.png")
            pathology = "mass" if number % 2 else "normal"
            lines.append(f"{number}-{place}.png,i{number}{place},s{number},p{number},{pathology},CT,chest")
    Image.fromarray(random.integers(0, 256, (12, 12)).astype(np.uint8)).save(folder / "alone.png")
    lines.append("alone.png,alone,,p9,normal,CT,chest")
    (folder / "manifest.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        build_collection(import_as(ImportRequest([folder], "scans")).collection, load_encoder("pixels"))
    return folder / "data"


@pytest.fixture
def scans_app(app, scans, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(scans))
    return app


def test_the_whole_series_asks_and_whole_series_are_hits(scans_app):
    at = scans_app("retrieval", collection="scans", image="i01")
    assert not complaints(at)
    switch = next(one for one in at.toggle if one.label == "Whole series")
    assert not switch.value
    switch.set_value(True).run()
    assert at.query_params["series"] == "whole"
    assert not complaints(at)
    assert "3 slices asked, and series are ordered by mean of best matches" in html(at)
    assert "<b>4 of 4 series</b> same anatomy" in html(at)
    assert "Only 4 of 10: no more series are left" in html(at)
    assert len(cards(at)) == 4
    at.selectbox(key=next(one.key for one in at.selectbox if one.label == "Votes")).set_value("rrf").run()
    assert "reciprocal rank fusion" in html(at)
    assert at.query_params["votes"] == "rrf"
    next(one for one in at.toggle if one.label == "Whole series").set_value(False).run()
    assert "series" not in at.query_params
    assert "Exact search over 13 images" in html(at)


def test_an_image_alone_has_no_such_switch(scans_app):
    at = scans_app("retrieval", collection="scans", image="alone", series="whole")
    assert not complaints(at)
    assert not [one for one in at.toggle if one.label == "Whole series"]
    assert "Exact search over 13 images" in html(at)


def test_a_link_with_a_word_that_there_is_not(scans_app):
    at = scans_app("retrieval", collection="scans", image="i01", series="half")
    assert "half" in complaints(at)


def test_what_series_do_not_know_is_said_and_not_silently_left_out(scans_app):
    at = scans_app("retrieval", collection="scans", image="i01", series="whole", one="patient", least="0.5")
    assert not complaints(at)
    assert "Among whole series there is no one hit a patient or study, no least similarity" in words(at)
    assert len(cards(at)) == 4
    assert "Among whole series" not in words(scans_app("retrieval", collection="scans", image="i01", series="whole"))
    at = scans_app("retrieval", collection="scans", image="i01", series="whole", region="0,0,900,900")
    assert "this query asks alone" in words(at)
    assert len(cards(at)) > 4
