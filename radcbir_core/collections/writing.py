"""How a collection comes to be, and how another takes its place: whole, or not at all.

Owns the ways to fill a folder: a new collection, one whose making goes on where it was stopped, what is to be added to
one that is there, and a copy of it, to be revised. What fills them is the business of imports.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from radcbir_core.collections.layout import (
    UNFINISHED,
    Layout,
    check_name,
    collections_folder,
    folder_of,
    list_collections,
)
from radcbir_core.collections.locks import gate, no_builds
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.collections.records.record import (
    manifest_facts,
    new_record,
    read_record,
    write_problems,
    write_record,
)
from radcbir_core.errors import CollectionExistsError, Remedy, StaleError
from radcbir_core.storage import (
    disk_errors,
    make_private_folder,
    remove_partials,
    sync_disk,
    sync_file,
    sync_folder,
    sync_tree,
)
from radcbir_core.swapping import being_swapped, finish_swaps, take_place

_ABANDONED_AFTER: Final = 24 * 3600.0


def refuse_existing(name: str) -> None:
    """Do nothing if the name is free.

    Raises:
        CollectionExistsError: There is something of that name.
    """
    if (collections_folder() / check_name(name)).exists() or name in list_collections():
        raise CollectionExistsError(
            f"Expected a new collection name, but name = {name!r} exists already. Choose another, or remove it first.",
            remedy=Remedy("remove", name),
        )


def unfinished_folder() -> Path:
    """A folder's name that nobody has, for something that is no collection yet, or not any more."""
    return collections_folder() / f"{UNFINISHED}{uuid.uuid4().hex}"


@contextmanager
def new_collection(name: str) -> Iterator[Path]:
    """Give an empty folder to fill; on leaving without error it becomes the collection ``name`` in one step.

    Raises:
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    final = collections_folder() / check_name(name)
    refuse_existing(name)
    unfinished = unfinished_folder()
    try:
        with disk_errors(final):
            make_private_folder(final.parent)
            unfinished.mkdir()
            _remove_abandoned(final.parent)
            yield unfinished
            _give_name(unfinished, final)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _give_name(unfinished: Path, final: Path) -> None:
    """Make a collection of a folder that is complete."""
    sync_tree(unfinished)
    refuse_existing(final.name)
    unfinished.rename(final)
    sync_folder(final.parent)


@contextmanager
def resumable_collection(name: str, *, key: str) -> Iterator[Path]:
    """As :func:`new_collection`, but on an error the folder stays, and who asks next with the same key gets it again.

    Args:
        name: The collection's name.
        key: What the folder's content is made from; letters, digits and hyphens. Content made from something else is
            removed first.

    Raises:
        CollectionExistsError: The name is taken.
        CollectionError: Another process is filling the folder.
        StorageError: No space left, or no permission.
    """
    final = collections_folder() / check_name(name)
    refuse_existing(name)
    with disk_errors(final):
        make_private_folder(final.parent)
        with gate(final, doing="making"):
            refuse_existing(name)
            unfinished = _kept_folder(final, key)
            yield unfinished
            sync_disk(unfinished)  # images that are written plainly, a part after the other
            _give_name(unfinished, final)


@contextmanager
def resumable_addition(name: str, *, key: str) -> Iterator[Path]:
    """Give a folder beside a collection for what is to be added to it; it stays until whoever adds it removes it.

    Args:
        name: The collection's name.
        key: As for :func:`resumable_collection`.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: Another process is filling the folder, or changing the collection.
        StorageError: No space left, or no permission.
    """
    final = folder_of(name)
    with disk_errors(final), gate(final, doing="changing"):
        unfinished = _kept_folder(final, key)
        yield unfinished
        sync_disk(unfinished)


def _kept_folder(final: Path, key: str) -> Path:
    """The folder that is filled for a collection from what ``key`` says, as it was left; others are removed."""
    # No name has a plus in it: what begins like this is of no other collection.
    unfinished = final.with_name(f"{UNFINISHED}{final.name}+{key}")
    for other in final.parent.glob(f"{UNFINISHED}{glob.escape(final.name)}+*"):
        if other != unfinished:
            shutil.rmtree(other, ignore_errors=True)
    unfinished.mkdir(exist_ok=True)
    remove_partials(unfinished)
    return unfinished


@contextmanager
def revised_collection(name: str, *, digest: str) -> Iterator[Path]:
    """Give a copy of a collection's folder to change; on leaving without error it takes the collection's place.

    At every instant the one or the other stands (:mod:`radcbir_core.swapping`). The copy's files are links to the same
    bytes: they may be replaced, as everything here is written, but not changed where they are.

    Args:
        name: The collection's name.
        digest: Of the manifest that the revision was made from. It was made without holding anything, and may have
            taken hours: what others corrected meanwhile must not be lost.

    Raises:
        CollectionNotFoundError: There is none of that name.
        StaleError: It has another manifest by now.
        CollectionError: Another process is revising or building it.
        StorageError: No space left, or no permission.
    """
    final = folder_of(name)
    revised = unfinished_folder()
    with disk_errors(final), gate(final, doing="changing"), no_builds(final):
        if read_record(final).get("manifest_digest") != digest:
            raise StaleError(f"Expected {name} as it was when this began, but it has been changed since. Begin again.")
        try:
            _link_tree(final, revised)
            yield revised
            sync_tree(revised)
            take_place(revised, final)
        finally:
            # What has this name now is a copy that nobody wants, or the one of before; never the only one there is.
            if revised.name not in being_swapped(final.parent):
                shutil.rmtree(revised, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` another name of the file ``source``, or a copy of it where the disk knows no such names.

    Raises:
        FileNotFoundError: The source is gone.
        OSError: No space left, or no permission.
    """
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)
        sync_file(target)


def _link_tree(source: Path, target: Path) -> None:
    """Make a folder with the files of another, as :func:`link_or_copy` does."""
    target.mkdir()
    shutil.copymode(source, target)
    with os.scandir(source) as entries:
        for entry in entries:
            # Kept evaluations are replaced by whoever looks at one, and made again where a part is missing.
            with contextlib.suppress(FileNotFoundError):
                (_link_tree if entry.is_dir() else link_or_copy)(Path(entry.path), target / entry.name)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed imports and removals left behind; a day old, so that none that is still at work is met."""
    finish_swaps(folder)
    swapped = being_swapped(folder)
    for abandoned in folder.glob(f"{UNFINISHED}*/"):
        if abandoned.name not in swapped and _is_old(abandoned):
            shutil.rmtree(abandoned, ignore_errors=True)


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _ABANDONED_AFTER
    except OSError:  # somebody else has removed it
        return False


def write_collection(
    folder: Path,
    *,
    name: str,
    title: str,
    image_root: Path,
    manifest: Manifest,
    problems: pd.DataFrame,
    facts: dict[str, Any],
) -> None:
    """Write the parts of a new collection into ``folder`` (see :func:`new_collection`).

    Args:
        folder: Where to.
        name: The collection's name.
        title: What people call it.
        image_root: The folder that the manifest's paths start from; a relative one lies in the collection's folder.
        manifest: Its images.
        problems: What could not be imported, with :data:`~radcbir_core.collections.records.record.PROBLEM_COLUMNS`.
        facts: What else collection.json should tell: sources, licences, what normalization changed.
    """
    path = Layout(folder).manifest
    manifest.write(path)
    write_problems(folder, problems)
    record = new_record(name=name, title=title, image_root=image_root)
    write_record(folder, record | manifest_facts(path, manifest.table) | facts)
