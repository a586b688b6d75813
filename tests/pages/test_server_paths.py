"""Where things lie on the server is an owner's to know: no page says it to anybody else."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts.frame import rights, server_paths
from pages.parts.frame.server_paths import shown, shown_in, without_paths
from pages.parts.frame.text import message
from pages.parts.map import routes as map_routes
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import RightsError
from radcbir_core.evaluation import evaluation_of
from radcbir_core.jobs import list_jobs, start
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from tests.pages.conftest import wait
from tests.pages.fetching import fetch
from tests.pages.reading import complaints

HIDDEN = "/srv/secret place/of the data"


@pytest.fixture
def viewer(monkeypatch) -> None:
    monkeypatch.setattr(rights, "visitor", lambda: rights.Visitor("somebody", "viewer"))


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Expected an image, but /srv/a/b.png is cut off.", "Expected an image, but …/b.png is cut off."),
        ("/srv/a/b", "…/b"),
        ("in /srv/a/", "in …/"),
        ("'/srv/a b c d/e f.png'", "'…/e f.png'"),
        ('"/srv/a b c d/e f/"', '"…/e f"'),
        ("/srv/My Data/x.png is gone", "…/x.png is gone"),
        ("(/srv/a), [/srv/b]; /srv/c: /srv/d|/srv/e", "(…/a), […/b]; …/c: …/d|…/e"),
        ("image_root = PosixPath('/srv/a')", "image_root = PosixPath('…/a')"),
        ("~/data/x and ~root/y", "…/x and ~root/y"),
        ("C:\\data\\x.png and \\\\host\\share\\y.png", "…/x.png and …/y.png"),
        ("local-dir:/opt/kits/mine?fit=pad", "local-dir:…/mine?fit=pad"),
        ("file:///srv/a/b", "file:///srv/a/b"),
        ("CT/chest/pneumonia, and/or, 3 / 4, /", "CT/chest/pneumonia, and/or, 3 / 4, /"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("images/a.png", "images/a.png"),
    ],
)
def test_of_a_path_the_last_name_is_left(text, rest) -> None:
    assert without_paths(text) == rest
    assert without_paths(rest) == rest


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    without_paths(text, ("/a",))


def test_known_folders_are_left_out_whatever_their_names(viewer, copied_data, app) -> None:
    record = json.loads((copied_data / "collection.json").read_text())
    (copied_data / "collection.json").write_text(json.dumps(record | {"image_root": f"{HIDDEN} and more, 2"}))
    assert shown(f"Expected {HIDDEN} and more, 2/a/b.png to exist.") == "Expected …/b.png to exist."
    assert message(f"see {copied_data}/encoders") == "see …/encoders"


def test_owners_and_nobody_else_see_whole_paths(monkeypatch) -> None:
    table = pd.DataFrame({"reason": ["/srv/a/b is gone", "odd"], "line": [1, 2]})
    assert shown("/srv/a/b") == "/srv/a/b"
    assert shown_in(table) is table

    def unknown():
        raise RightsError("Expected secrets")

    for visitor in (lambda: rights.Visitor("me", "editor"), lambda: rights.Visitor("x", "viewer"), unknown):
        monkeypatch.setattr(rights, "visitor", visitor)
        assert shown("/srv/a/b") == "…/b"
        assert shown_in(table).to_dict("list") == {"reason": ["…/b is gone", "odd"], "line": [1, 2]}


def said(at) -> str:
    """All that the server sends to the browser for a page."""
    tables = "\n".join(table.value.to_csv() for table in at.dataframe)
    return "\n".join(str(getattr(element, "proto", "")) for element in at).replace("\\", "") + tables


def test_no_page_says_where_anything_lies(app, copied_data, monkeypatch) -> None:
    """On a collection, jobs and records that name folders wherever they can."""
    record = json.loads((copied_data / "collection.json").read_text())
    record["image_root"] = HIDDEN
    record["sources"] = [{"origin": f"{HIDDEN}/table.csv", "dataset": "one", "rows": 1, "images": 1}]
    record["notes"] = [f"Read from {HIDDEN}/notes."]
    (copied_data / "collection.json").write_text(json.dumps(record))
    problems = open_collection("small").problems()
    row = {"path": f"{HIDDEN}/x.png", "reason": f"{HIDDEN}/x.png is cut off", "source": f"{HIDDEN}/t.csv"}
    problems = pd.DataFrame([{"line": 2, "image_id": "", **row}])[list(problems.columns)]
    problems.to_csv(copied_data / "problems.csv", index=False)
    encoder = copied_data / "encoders" / "pixels" / "encoder.json"
    of_encoder = json.loads(encoder.read_text())
    encoder.write_text(json.dumps(of_encoder | {"spec": f"local-dir:{HIDDEN}/kit"}))
    (encoder.parent / "projection.parquet").unlink()  # so that pages say the command that makes it
    (copied_data.parent / "zz-damaged").mkdir()
    (copied_data.parent / "zz-damaged" / "collection.json").write_text("{")
    job = start(EvaluateEncoder("small", "pixels", evaluation_of("precision")), runner="thread")
    job.wait(60)
    wait()
    (job.folder / "status.json").write_text(
        json.dumps({"state": "failed", "error": f"Expected {HIDDEN}/a, but it is gone."})
    )
    (job.folder / "log.txt").write_text(f"at {HIDDEN}/log")
    assert list_jobs()
    places = {HIDDEN, str(copied_data.parent.parent), "secret place", "of the data/"}
    asked = [("", {}), *((page, {}) for page in ("retrieval", "pathology", "map", "compare"))]
    asked += [("collections", {"part": part}) for part in ("overview", "encoders", "problems", "provenance")]
    assert not complaints(app("collections", part="problems")).count("problems.csv")
    everything = [said(app(page, **query)) for page, query in asked]
    assert all(any(place in one for one in everything) for place in places), "what an owner needs"
    without = [asked[number] for number, one in enumerate(everything) if not any(place in one for place in places)]
    assert ("collections", {"part": "overview"}) not in without
    assert ("", {}) not in without
    for part in ("encoders", "problems", "provenance"):
        (one,) = (one for one, (_, query) in zip(everything, asked, strict=True) if query == {"part": part})
        assert HIDDEN in one, part
    monkeypatch.setattr(rights, "visitor", lambda: rights.Visitor("somebody", "viewer"))
    for page, query in asked:
        at = app(page, **query)
        assert not at.exception
        assert not [place for place in places if place in said(at)], (page, query)
    assert server_paths.IMPORT_ROOT == "RADCBIR_IMPORT_ROOT"


def test_routes_say_nothing_of_where_anything_lies(copied_data) -> None:
    for collection, encoder in (("small", "nobody"), ("nobody", "pixels")):
        address = f"radcbir-data/map/{collection}/{encoder}/standard/layout/0"
        status, _, content = fetch(address, routes=map_routes.routes())
        assert status == 404
        assert b"nobody" in content
        assert str(copied_data).encode() not in content
