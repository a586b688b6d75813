"""`query --report`, as a person types it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from radcbir_core.collections.collection import open_collection
from tests.core.cli.running import run


def test_a_report_is_written_beside_the_table(small, capsys, tmp_path) -> None:
    collection = open_collection("small")
    image_id = collection.manifest.record(30)["image_id"]
    path = tmp_path / "case.html"
    code, out, _ = run(
        capsys, "query", "small", "--encoder", "pixels", "--id", image_id, "-k", "3", "--exclude", "patient",
        "--where", "modality=XR", "--where", "modality=CT", "--hubness", "csls", "--report", str(path),
    )  # fmt: skip
    assert code == 0
    assert "3 hits" in out
    document = path.read_text()
    assert "href=" not in document  # which would lead nowhere from a file
    said = document.split("which is not known here:")[1]
    link = said.split("<p")[1].split(">")[1].split("<")[0].replace("&amp;", "&")
    assert urlsplit(link).path == "/retrieval"
    assert parse_qs(urlsplit(link).query) == {
        "collection": ["small"],
        "encoder": ["pixels"],
        "image": [f"sha256:{collection.manifest.record(30)['sha256']}"],
        "k": ["3"],
        "exclude": ["patient"],
        "where": ["modality=XR", "modality=CT"],
        "hubness": ["csls"],
    }
    patients = set(map(str, collection.manifest.column("patient_id"))) - {""}
    assert not [patient for patient in patients if f">{patient}<" in document]
    assert image_id not in document


def test_the_address_of_the_dashboard_makes_it_a_link(small, capsys, tmp_path) -> None:
    path, image_id = tmp_path / "case.html", open_collection("small").manifest.record(30)["image_id"]
    asked = ("query", "small", "--encoder", "pixels", "--id", image_id, "--report", str(path))
    for address in ("http://host:8501", "https://a.example/radcbir/"):
        assert run(capsys, *asked, "--address", address)[0] == 0
        assert f'href="{address.rstrip("/")}/retrieval?collection=small&amp;' in path.read_text()
    for address in ("host:8501", "javascript:alert(1)", "http://", "http://a/?b=c"):
        code, _, err = run(capsys, *asked, "--address", address)
        assert code == 2
        assert "Expected the address of the dashboard" in " ".join(err.split())
    code, _, err = run(capsys, *asked[:-2], "--address", "http://host:8501")
    assert code == 2
    assert "Expected --report with --address" in " ".join(err.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("case.txt", "Expected a report to be .html or .pdf"),
        ("case", "Expected a report to be .html or .pdf"),
        ("nowhere/case.html", "there is no folder"),
        ("folder.html", "it is a folder"),
    ],
)
def test_where_it_cannot_go_is_said_before_anything_is_searched(small, capsys, tmp_path, name, said) -> None:
    (tmp_path / "folder.html").mkdir()
    code, out, err = run(capsys, "query", "small", "--id", "x", "--report", str(tmp_path / name))
    assert code == 2
    assert not out
    assert said in " ".join(err.split())
