"""A log of entries, whatever they say: it only grows, damage costs no more than its line, and nobody overwrites."""

from __future__ import annotations

from dataclasses import dataclass

import filelock
import pytest

from radcbir_core.collections import entry_log
from radcbir_core.collections.entry_log import Entries, EntryLog
from radcbir_core.errors import CollectionError


@dataclass(frozen=True)
class Said:
    id: str
    text: str = ""


def checked(said: Said) -> Said:
    if said.text == "nonsense":
        raise ValueError("sense, but it is nonsense")
    return said


@pytest.fixture
def log() -> EntryLog[Said]:
    return EntryLog("things", form=Said, needs={"id"}, checked=checked, too_large="Begin another.", most=lambda: 200)


def add(log, *entries: Said) -> int:
    return log.add("small", lambda folder: folder / "things.jsonl", lambda _: list(entries))


def test_it_grows_and_an_entry_is_there_once(copied, log) -> None:
    path = copied.folder / "things.jsonl"
    assert log.read(path) == Entries()
    assert add(log, Said("1", "a"), Said("2")) == 2
    assert add(log, Said("1", "other"), Said("3")) == 1
    assert path.read_bytes() == b'{"id": "1", "text": "a"}\n{"id": "2"}\n{"id": "3"}\n'
    assert log.read(path).entries == (Said("1", "a"), Said("2"), Said("3"))


def test_whoever_adds_is_told_what_is_there_and_may_refuse(copied, log) -> None:
    add(log, Said("1"))

    def refuse(there: Entries[Said]) -> list[Said]:
        raise CollectionError(f"there are {len(there.entries)}")

    with pytest.raises(CollectionError, match="there are 1"):
        log.add("small", lambda folder: folder / "things.jsonl", refuse)
    assert log.read(copied.folder / "things.jsonl").entries == (Said("1"),)


def test_damage_costs_no_more_than_its_line_and_stays_where_it_is(copied, log) -> None:
    path = copied.folder / "things.jsonl"
    odd = b'[]\n{"id": "2", "who": "x"}\n{"id": 3}\n{"text": "a"}\n{"id": "4", "text": "nonsense"}\n{"id": "cut o'
    path.write_bytes(b'{"id": "1"}\n' + odd)
    read = log.read(path)
    assert read.entries == (Said("1"),)
    assert read.damaged == (
        (2, "it is no entry"),
        (3, "it has other fields than an entry"),
        (4, "it is no entry"),
        (5, "it has other fields than an entry"),
        (6, "expected sense, but it is nonsense"),
        (7, "it is no JSON"),
    )
    add(log, Said("9"))
    assert path.read_bytes().endswith(b'{"id": "cut o\n{"id": "9"}\n')
    assert [number for number, _ in log.read(path).damaged] == [2, 3, 4, 5, 6, 7]
    assert log.read(path).entries == (Said("1"), Said("9"))


def test_one_that_is_too_large_is_refused_and_stays_as_it_was(copied, log) -> None:
    add(log, Said("1", "x" * 100))
    before = (copied.folder / "things.jsonl").read_bytes()
    with pytest.raises(CollectionError, match=r"Expected a log of things of at most 200 bytes.*Begin another\."):
        add(log, Said("2", "x" * 100))
    assert (copied.folder / "things.jsonl").read_bytes() == before


def test_nobody_adds_while_the_collection_is_being_changed(copied, log, monkeypatch) -> None:
    monkeypatch.setattr(entry_log, "_PATIENCE", 0.0)
    with filelock.FileLock(copied.layout.gate), pytest.raises(CollectionError, match="nobody else to be changing"):
        add(log, Said("1"))


def test_what_was_read_is_not_parsed_again(copied, log, monkeypatch) -> None:
    path = copied.folder / "things.jsonl"
    add(log, Said("1"))
    log.read(path)
    parsed = []
    parse = log.parse
    monkeypatch.setattr(log, "parse", lambda content: parsed.append(content) or parse(content))
    add(log, Said("2"))
    assert log.read(path).entries == (Said("1"), Said("2"))
    assert parsed == [b'{"id": "2"}\n']
    path.write_bytes(b'{"id": "7"}\n')  # another file in its place
    assert log.read(path).entries == (Said("7"),)
