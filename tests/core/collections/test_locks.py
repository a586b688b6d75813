"""Who may do what to a collection at the same time."""

from __future__ import annotations

import subprocess
import sys

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
