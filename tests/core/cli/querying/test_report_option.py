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
    link = document.split('href="')[1].split('"')[0].replace("&amp;", "&")
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
