"""The case report of the hits on Retrieval."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from pages.parts.frame import state
from pages.parts.retrieval import report_button
from radcbir_core.case_reports.report_address import KEPT
from radcbir_core.collections.collection import open_collection
from tests.pages.reading import complaints, words

VALUES = {"several", "labels", "like", "unlike", "regions", "anatomy", "all"}
"""What parameters of Retrieval may say, as they are described."""


@pytest.fixture
def made(monkeypatch) -> list:
    """What the button was given to call, newest last."""
    given: list = []
    offer = report_button.offer

    class Box:
        def download_button(self, label, content, **options):
            assert label == "Report"
            assert options["file_name"].endswith(".html")
            given.append(content)

    monkeypatch.setattr(report_button, "offer", lambda box, *rest, **options: offer(Box(), *rest, **options))
    return given


@pytest.fixture
def ids(app) -> list[str]:
    return [str(name) for name in open_collection("small").manifest.column("image_id")]


def link_in(document: str) -> dict[str, list[str]]:
    """Where a page runs by itself it has no address, and the link is said without a host."""
    said = document.split("which is not known here:</p>")[1].split(">")[1].split("<", maxsplit=1)[0]
    return parse_qs(urlsplit(said.replace("&amp;", "&")).query)


def test_it_has_the_hits_that_are_shown_and_an_address_that_opens_them(app, ids, made):
    at = app("retrieval", image=ids[0], k="3", exclude="patient")
    assert not complaints(at)
    document = made[-1]().decode()
    assert document.count('<li class="hit">') == 3
    assert document.count('<li class="query">') == 1
    asked = link_in(document)
    assert (asked["k"], asked["exclude"]) == (["3"], ["patient"])
    assert asked["image"][0].startswith("sha256:")
    assert ids[0] not in document
    assert asked["collection"]
    assert asked["encoder"]
    again = app("retrieval", **{name: values[0] for name, values in asked.items()})
    assert not complaints(again)
    assert again.query_params["image"] in (ids[0], [ids[0]])
    hits = [part.split("</li>")[0] for part in document.split('<li class="hit">')[1:]]
    assert [part.split("</li>")[0] for part in made[-1]().decode().split('<li class="hit">')[1:]] == hits


def test_where_a_patient_is_asked_for_there_is_no_address(app, ids, made):
    manifest = open_collection("small").manifest
    patient = next(str(name) for name in manifest.column("patient_id") if name)
    app("retrieval", image=ids[0], where=f"patient_id={patient}")
    document = made[-1]().decode()
    assert 'href="' not in document
    assert f"patient_id={patient}" not in document
    assert "value withheld" in document


def test_of_each_parameter_of_the_page_it_is_decided_whether_its_ranking_depends_on_it() -> None:
    """What is not kept opens another ranking; whoever adds a parameter adds it here or there."""
    described = state.__doc__.split("On Retrieval: ")[1].split("On Pathology:")[0]
    changes_no_ranking = {"upload", "scores", "find", "browse", "rest", "lane", "beside", "why"}
    has_no_report = {"series", "votes"}
    names = {name for name in re.findall(r"``(\w+)``", described) if name not in VALUES}
    assert (names - changes_no_ranking - has_no_report) | {"collection", "encoder", "select"} == KEPT


def test_a_digest_of_another_file_is_said(app):
    at = app("retrieval", image=f"sha256:{'0' * 64}")
    assert "is of none of its images" in words(at), complaints(at)
