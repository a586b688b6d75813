"""`import --dicomweb`, as a person types it."""

from __future__ import annotations

import pytest

from radcbir_core.audit import audit_path
from radcbir_core.dicomweb import client
from radcbir_core.dicomweb.server_address import PASSWORD, USER
from tests.core.cli.running import run
from tests.core.images.dicom_files import SECRET
from tests.dicom_servers import stand_in, without_settings


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    without_settings(monkeypatch)
    monkeypatch.setattr(client, "PAUSES", (0.01,))


def test_what_is_chosen_is_looked_at_imported_and_added_to(data, capsys) -> None:
    with stand_in() as (url, _):
        code, out, _ = run(capsys, "import", "--dicomweb", url, "--dry-run", "--where", "Modality=CT")
        assert (code, "Nothing was fetched. 3 images there." in out) == (0, True)
        assert not data.exists() or not list(data.iterdir())
        chosen = ["--name", "pacs", "--study", "1.2.9", "--where", "Modality=CT", "--where", "Modality=DX"]
        code, out, _ = run(capsys, "import", "--dicomweb", url, *chosen)
        assert (code, "Imported 4 images into pacs; 0 problems" in out) == (0, True)
        code, out, _ = run(capsys, "import", "--dicomweb", url, "--name", "pacs", "--series", "1.2.8.1", "--add")
        assert (code, "Imported 6 images into pacs" in out) == (0, True)
    recorded = audit_path().read_text()
    assert '"import"' in recorded
    assert "1.2.9" not in recorded


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--where", "PatientID=1"], "are never asked for"),
        (["--study", SECRET], "unique identifiers"),
        (["scans"], "a DICOMweb server alone"),
        (["--every", "5"], "but every is given"),
    ],
)
def test_what_cannot_be_asked_is_said(data, capsys, words, said) -> None:
    with stand_in() as (url, does):
        code, _, err = run(capsys, "import", "--dicomweb", url, "--name", "pacs", *words)
        assert (code, does.asked) == (2, [])
        assert said in " ".join(err.split())
        assert SECRET not in err


def test_options_for_a_server_need_one_and_secrets_are_never_printed(data, capsys, monkeypatch) -> None:
    code, _, err = run(capsys, "import", "scans", "--name", "x", "--study", "1.2")
    assert (code, "wanted" in err or "does not exist" in err) == (2, True)
    monkeypatch.setenv(USER, "me")
    monkeypatch.setenv(PASSWORD, "hush-hush")
    with stand_in(authorization="Basic other") as (url, _):
        code, out, err = run(capsys, "import", "--dicomweb", url, "--name", "pacs")
    assert (code, "Expected to be let in" in " ".join(err.split())) == (2, True)
    assert "hush" not in out + err
    code, out, err = run(capsys, "import", "--dicomweb", "http://me:hush-hush@localhost/x", "--name", "pacs")
    assert code == 2
    assert "hush" not in out + err
