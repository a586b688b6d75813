"""Seals: made with a key that only this data folder has."""

from __future__ import annotations

import hmac
import platform

import pytest

from radcbir_core.collections.layout import data_folder
from radcbir_core.collections.seal import is_sealed, sealed
from radcbir_core.errors import StorageError


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_what_was_sealed_here_is_sealed() -> None:
    assert not is_sealed("a", "")
    assert not data_folder().exists(), "asking makes no key"
    seal = sealed("a")
    assert sealed("a") == seal
    assert is_sealed("a", seal)
    for digest, other in (("b", seal), ("a", seal[:-1]), ("a", ""), ("a", None), ("a", 7)):
        assert not is_sealed(digest, other)


def test_the_key_is_for_its_owner_and_another_key_makes_other_seals(monkeypatch, tmp_path) -> None:
    seal = sealed("a")
    (key,) = data_folder().iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    assert sealed("a") != seal
    assert not is_sealed("a", seal)


def test_a_damaged_key_seals_nothing_and_is_replaced() -> None:
    seal = sealed("a")
    (data_folder() / "machine.key").write_bytes(b"short")
    assert not is_sealed("a", seal)
    again = sealed("a")
    assert again != seal
    assert is_sealed("a", again)


def test_another_kind_of_machine_seals_otherwise(monkeypatch) -> None:
    seal = sealed("a")
    monkeypatch.setattr("platform.machine", lambda: "another")
    assert not is_sealed("a", seal)


def test_no_place_for_a_key_is_a_storage_error(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(StorageError, match="a part of its path is a file"):
        sealed("a")


def test_a_key_that_everybody_has_is_not_used() -> None:
    published = bytes.fromhex("9566cd351faceb9f804d35ee6b7f601eede0964ed447c8557875589fcc51a065")
    path = data_folder() / "machine.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(published)
    forged = hmac.digest(published, f"{platform.system()} {platform.machine()}\0a".encode(), "sha256").hex()

    assert not is_sealed("a", forged)
    assert is_sealed("a", sealed("a"))
    assert path.read_bytes() != published
