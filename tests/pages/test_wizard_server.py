"""The import wizard with a DICOM server: who may name one, what is asked, and from the address to a collection."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pages.parts.collections.wizard import dicom_source
from pages.parts.frame import loaders, rights
from radcbir_core.collections.collection import open_collection
from radcbir_core.dicomweb import client
from radcbir_core.dicomweb.server_address import TOKEN, URL
from radcbir_core.errors import ServerError
from radcbir_core.jobs import list_jobs, unwritten
from tests import quick_jobs
from tests.dicom_servers import stand_in, without_settings
from tests.pages.conftest import run_page
from tests.pages.reading import complaints, html, words
from tests.quick_jobs import ended


@pytest.fixture(autouse=True)
def controls(copied_data, tmp_path, monkeypatch):
    """Quick jobs; the data folder has the collection ``small``."""
    without_settings(monkeypatch)
    monkeypatch.setattr(client, "PAUSES", (0.01,))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Looking for real ones imports open_clip, which takes seconds.
    monkeypatch.setattr("pages.parts.frame.loaders.find_usable_encoders", lambda _: [])
    loaders.usable_encoders.clear()
    yield quick_jobs.prepare(monkeypatch, tmp_path / "quick")
    quick_jobs.end()


@pytest.fixture
def data(copied_data):
    """The data folder."""
    return copied_data.parents[1]


def everything_in(folder) -> bytes:
    return b"".join(str(path).encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


def button(at, label):
    return next(found for found in at.button if found.label == label)


def opened():
    at = run_page("collections")
    button(at, "Import a collection").click()
    return at.run()


def asked(url: str | None, *, studies: str = "", modalities=(), days: str = ""):
    """The wizard after its first step."""
    at = opened()
    at.segmented_control(key="radcbir:wizard:source way").set_value("A DICOM server").run()
    if url is not None:
        at.text_input(key="radcbir:wizard:source server").set_value(url)
    at.text_area(key="radcbir:wizard:source studies").set_value(studies)
    at.multiselect(key="radcbir:wizard:source modalities").set_value(list(modalities))
    at.text_input(key="radcbir:wizard:source days").set_value(days)
    button(at, "Next").click()
    return at.run()


def on(at, label: str):
    button(at, label).click()
    at.run()
    assert "Expected" not in complaints(at)
    return at


def test_from_an_address_to_a_collection_and_the_study_is_named_nowhere(data) -> None:
    with stand_in() as (url, does):
        at = asked(url, studies="1.2.9,\n1.2.9", modalities=["CT"])
        assert not complaints(at)
        assert "Recognized as **Studies of a DICOM server**, by its address." in words(at)
        on(at, "Look at it")
        assert "**3 images there**" in words(at)
        assert "CT</td>" in html(at)
        assert "DX</td>" not in html(at)
        assert (does.given, list_jobs()) == (0, [])
        on(at, "Next")
        at.text_input(key="radcbir:wizard:name").set_value("pacs").run()
        on(at, "Start")
        (job,) = list_jobs()
        assert ended(job).status().counts["images"] == 3
    assert unwritten.told(job.id) == {"RADCBIR_JOB_STUDIES": "1.2.9"}
    assert list(open_collection("pacs").manifest.column("dicom_modality")) == ["CT"] * 3
    assert b"1.2.9" not in everything_in(data)
    recorded = [json.loads(line) for line in (data / "audit.jsonl").read_text().splitlines()]
    assert [(one["action"], one["subject"]) for one in recorded][-2:] == [
        ("search DICOM server", url.split("/")[2]),
        ("import", "pacs"),
    ]


def test_what_cannot_be_asked_or_is_not_there_is_said() -> None:
    with stand_in() as (url, does):
        for said, options in (
            ("unique identifiers of DICOM", {"studies": "1.2/../x"}),
            ("as 20240131 or 20240101-20241231", {"days": "last week"}),
        ):
            assert said in complaints(asked(url, **options))
        assert does.asked == []
        assert "none of what is wanted" in complaints(asked(url, modalities=["US"]))
        at = asked(url, studies="1.2.99")
        assert "does not have one of them" in complaints(at)
        assert '<li class="now"><b>1</b> Source' in html(at)
    assert "it is empty" in complaints(asked("  "))
    assert "without name, password" in complaints(asked("http://me:secret@server/rs"))


def test_others_ask_the_server_that_is_named_and_no_other(monkeypatch) -> None:
    monkeypatch.setattr(rights, "is_open_to_others", lambda: True)
    monkeypatch.setattr(rights, "visitor", lambda: rights.Visitor("anna", "owner"))
    monkeypatch.delenv("RADCBIR_IMPORT_ROOT", raising=False)
    assert opened().segmented_control(key="radcbir:wizard:source way").options == ["Upload a table or a ZIP"]
    with pytest.raises(ServerError, match="named for this dashboard"):
        dicom_source.allowed("http://127.0.0.1:1/rs")
    with stand_in() as (url, does):
        monkeypatch.setenv(URL, url)
        at = asked(None, days="20230101")
        assert "Expected" not in complaints(at)
        assert not [box for box in at.text_input if box.label == "Address of the server"]
        on(at, "Look at it")
        assert "**2 images there**" in words(at)
        assert does.given == 0
        for other in ("http://127.0.0.1:1/rs", ""):
            with pytest.raises(ServerError, match="named for this dashboard"):
                dicom_source.allowed(other)


def test_credentials_of_the_secrets_are_told_to_the_process_and_not_written(data, monkeypatch) -> None:
    with stand_in(authorization="Bearer hush-hush") as (url, _):
        section = {"url": url, "token": "hush-hush"}
        monkeypatch.setattr("streamlit.secrets", SimpleNamespace(to_dict=lambda: {"dicomweb": section}))
        at = on(on(asked(None), "Look at it"), "Next")
        at.text_input(key="radcbir:wizard:name").set_value("pacs").run()
        on(at, "Start")
        (job,) = list_jobs()
        assert ended(job).status().counts["images"] == 6
    assert unwritten.told(job.id)[TOKEN] == "hush-hush"
    assert job.request.told == tuple(unwritten.told(job.id))
    assert b"hush-hush" not in everything_in(data)
