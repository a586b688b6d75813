"""The record of who did what: a line an action, whole also where many write, and nobody else's."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radcbir_core.audit import account, audit_path, record
from radcbir_core.errors import StorageError


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "above" / "data"))
    return tmp_path / "above" / "data"


def test_a_line_an_action_in_order_and_never_rewritten(data: Path) -> None:
    record("import", "mine", who="me", role="owner")
    before = audit_path().read_bytes()
    record("remove\nimport", "n\u00fc" + "x" * 500, who="me", role="owner")
    assert audit_path() == data / "audit.jsonl"
    assert audit_path().read_bytes().startswith(before)
    first, second = map(json.loads, audit_path().read_text(encoding="utf-8").split("\n")[:-1])
    assert list(first) == ["time", "who", "role", "action", "subject"]
    assert first["time"].endswith("+00:00")
    assert (first["action"], first["subject"], second["action"]) == ("import", "mine", "remove\nimport")
    assert len(second["subject"]) == 200


def test_lines_of_many_are_whole() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record("stop", f"{number}" * 60, who="me", role="owner"), range(80)))
    lines = audit_path().read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["subject"] for line in lines) == sorted((f"{n}" * 60)[:200] for n in range(80))


def test_it_is_its_owners_alone_and_so_is_what_lies_beside_it(data: Path) -> None:
    record("import", "mine", who="me", role="owner")
    assert [path.stat().st_mode & 0o777 for path in (data.parent, data, audit_path())] == [0o700, 0o700, 0o600]


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (KeyError("getpwuid(): uid not found: 10001"), OSError("No username set"), ImportError("pwd")):

        def refuse(error: Exception = error) -> str:
            raise error

        monkeypatch.setattr("getpass.getuser", refuse)
        monkeypatch.setattr("os.getuid", lambda: 10001)
        assert account() == "account 10001"


def test_names_that_are_no_text_are_on_record_too() -> None:
    record("delete export", "a\udc80.csv", who="me", role="owner")
    (line,) = audit_path().read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["subject"] == "a\udc80.csv"


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with pytest.raises(StorageError, match="Expected space left on the disk"):
        record("import", "mine", who="me", role="owner")
