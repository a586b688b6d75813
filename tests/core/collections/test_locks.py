"""Who may do what to a collection at the same time."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest

from radcbir_core.collections.layout import Layout
from radcbir_core.collections.locks import at_rest, building, gate, no_builds
from radcbir_core.errors import CollectionError, CollectionNotFoundError


def test_at_rest_nobody_builds_and_nobody_else_is_at_rest(copied) -> None:
    with at_rest("small") as folder:
        assert folder == copied.folder
        with pytest.raises(CollectionError, match="nobody else to be changing small"), at_rest("small"):
            pass
    with building(copied.folder, "pixels"):
        with pytest.raises(CollectionError, match="small is being built with pixels"), at_rest("small"):
            pass
        with pytest.raises(CollectionError, match="building small with pixels"), building(copied.folder, "pixels"):
            pass
        with building(copied.folder, "another"):
            pass
    with at_rest("small"):
        pass
    with pytest.raises(CollectionNotFoundError), at_rest("larg"):
        pass


def test_who_is_refused_is_told_what_the_holder_does_and_since_when(copied, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.locks.time.time", lambda: 1_000_000_000)
    since = "since 2001-09-09 01:46:40 UTC"
    with building(copied.folder, "pixels", doing="laying out the map wide"):
        told = f"another process is laying out the map wide {since}. Wait until it has finished, or stop it."
        with pytest.raises(CollectionError, match=told), building(copied.folder, "pixels", doing="deleting a map"):
            pass
        with (
            pytest.raises(
                CollectionError,
                match=f"small is in use: another process is laying out the map wide with pixels {since}",
            ),
            at_rest("small"),
        ):
            pass
    with building(copied.folder, "pixels"):
        told = f"another process is building {since}"
        for doing in ("building", "laying out the map wide"):
            with pytest.raises(CollectionError, match=told), building(copied.folder, "pixels", doing=doing):
                pass
        monkeypatch.setattr("radcbir_core.collections.locks._POLL_SECONDS", 0)
        Layout(copied.folder).encoder("pixels").holder.write_text('{"doing": ')
        with (
            pytest.raises(CollectionError, match=r"but another process is building\. Wait"),
            building(copied.folder, "pixels"),
        ):
            pass
    assert not Layout(copied.folder).encoder("pixels").holder.exists(), "it is gone with who wrote it"


def test_a_build_waits_for_what_is_no_build_and_can_be_stopped_meanwhile(copied) -> None:
    told = []
    with ExitStack() as holder:
        holder.enter_context(building(copied.folder, "pixels", doing="laying out the map wide"))

        def stop(*now) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError), building(copied.folder, "pixels", progress=stop):
            pass
        assert Layout(copied.folder).encoder("pixels").holder.read_text().startswith('{"doing": "laying out')

        def wait(*now) -> None:
            told.append(now)
            if len(told) == 2:
                holder.close()

        with (
            building(copied.folder, "pixels", progress=wait),
            pytest.raises(CollectionError, match="small is being built with pixels since"),
            at_rest("small"),
        ):
            pass
    assert told == [("wait", 0, 1), ("wait", 0, 1), ("wait", 1, 1)]


def test_a_gate_may_be_held_before_there_is_a_collection(copied) -> None:
    folder = copied.folder.with_name("new")
    with gate(folder, doing="making"):
        with pytest.raises(CollectionError, match="nobody else to be making new"), gate(folder, doing="making"):
            pass
        with no_builds(folder):
            pass


def test_who_is_patient_waits_for_the_gate(copied) -> None:
    def leave(seconds: float) -> None:
        first.__exit__(None, None, None)

    first = gate(copied.folder, doing="changing")
    first.__enter__()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("filelock._api.time.sleep", leave)
        with gate(copied.folder, doing="changing", patience=60):
            pass


def test_a_lock_goes_with_its_process(copied) -> None:
    code = f"""
import os
from pathlib import Path
from radcbir_core.collections.locks import building
with building(Path({str(copied.folder)!r}), "pixels"):
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert Layout(copied.folder).encoder("pixels").lock.exists()
    with at_rest("small"):
        pass
