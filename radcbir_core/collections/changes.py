"""What may be changed of a collection that stands: its name, its title, where its images are, and whether it is there.

Owns these changes. Nothing that was computed is touched by the first three, because nothing in a collection's folder
says what the folder is called, and rows are images whatever folder their files are in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import unicodedata
from pathlib import Path

import filelock
import pyarrow.parquet as pq

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import Layout, check_name, collections_folder
from radcbir_core.collections.locks import at_rest
from radcbir_core.collections.records.record import RENAMED, read_record, write_record
from radcbir_core.collections.writing import refuse_existing, unfinished_folder
from radcbir_core.errors import CollectionError, CollectionExistsError, StorageError
from radcbir_core.storage import disk_errors, sync_folder

LONGEST_TITLE = 200
_LOOKED_FOR = 1000


def check_title(title: str) -> str:
    """``title`` without outer blanks, if it can be a collection's.

    Raises:
        CollectionError: It is empty, longer than 200 characters, or more than one line.

    Example:
        >>> check_title(" Chest radiographs, 2026 ")
        'Chest radiographs, 2026'
    """
    stripped = title.strip()
    unprintable = any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in stripped)
    if not 1 <= len(stripped) <= LONGEST_TITLE or unprintable:
        raise CollectionError(
            f"Expected a title of 1 to {LONGEST_TITLE} characters in one line, but title = {title[:80]!r}. "
            "Write another."
        )
    return stripped


def rename_collection(name: str, new_name: str, *, title: str | None = None) -> Collection:
    """Give a collection another name, another title, or both; everything in its folder comes along.

    Args:
        name: The collection.
        new_name: What it is to be called; ``name`` itself to change the title only.
        title: What people are to call it; as before by default, and where that was the name, the new name.

    Returns:
        The collection under its new name.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionExistsError: The new name is taken.
        CollectionError: It is being built or changed, or a name or title cannot be one.
        StorageError: No permission.
    """
    check_name(new_name)
    title = None if title is None else check_title(title)
    with at_rest(name) as folder:
        final = collections_folder() / new_name
        told = read_record(folder)
        if title is None and told.get("title") == name:
            title = new_name
        change = {"name": new_name} | ({} if title is None else {"title": title})
        if new_name == name:
            write_record(folder, told | change)
            return open_collection(name)
        try:
            with filelock.FileLock(Layout(final).gate, blocking=False, fallback_to_soft=False):
                refuse_existing(new_name)
                # The record says what the collection is under either name. So the folder's name, which changes at one
                # instant, is all that counts.
                write_record(folder, told | {RENAMED: change})
                _rename_folder(folder, final)
                with contextlib.suppress(StorageError):
                    write_record(final, told | change)
        except filelock.Timeout as error:
            raise _taken(new_name) from error
        with contextlib.suppress(OSError):
            Layout(folder).gate.unlink()
    return open_collection(new_name)


def _rename_folder(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError as error:
        if final.exists():
            raise _taken(final.name) from error
        raise
    sync_folder(final.parent)


def _taken(name: str) -> CollectionExistsError:
    return CollectionExistsError(
        f"Expected a new collection name, but another process is making name = {name!r}. Choose another."
    )


def relocate_images(name: str, image_root: Path) -> Collection:
    """Tell a collection where its images are now.

    Args:
        name: The collection.
        image_root: The folder that the manifest's paths start from. Of 1,000 paths spread over the manifest, at least
            one must be there; files that are not stay without a large view.

    Returns:
        The collection, with its images.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed, or the folder holds none of its images.
        StorageError: No permission.
    """
    with at_rest(name) as folder:
        collection = Collection(folder)
        root = checked_root(image_root, collection.manifest_path)
        write_record(folder, collection.record | {"image_root": str(root)})
    return open_collection(name)


def remove_collection(name: str) -> None:
    """Remove a collection and everything computed for it; the source images stay where they are.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed.
        StorageError: It may not be removed.
    """
    with at_rest(name) as folder:
        doomed = unfinished_folder()
        folder.rename(doomed)
        sync_folder(doomed.parent)
        # It is gone from here on. What cannot be removed of it now goes with the next import a day later.
        shutil.rmtree(doomed, ignore_errors=True)
        with contextlib.suppress(OSError):
            Layout(folder).gate.unlink()


def checked_root(image_root: Path, manifest: Path) -> Path:
    """``image_root`` without links and ``..``, if some of the images of a manifest are there.

    Args:
        image_root: The folder.
        manifest: The manifest's file.

    Raises:
        CollectionError: It is no folder, or of 1,000 paths spread over the manifest none is there.
    """
    root = Path(os.path.realpath(image_root.expanduser()))
    if not root.is_dir():
        raise CollectionError(f"Expected the folder of the images, but image_root = {image_root} is none. Check it.")
    paths = _some_paths(manifest)
    if not any((root / path).is_file() for path in paths):
        raise CollectionError(
            f"Expected images below image_root, but of {len(paths)} paths looked for none is in {root}; "
            f"the first: {paths[0]}. Give the folder that these paths start from."
        )
    return root


def images_found(collection: Collection) -> tuple[int, int]:
    """How many images are where they should be, of how many looked for: at most 1,000, spread over the manifest.

    Raises:
        CollectionError: The manifest is missing or damaged.
    """
    paths = _some_paths(collection.manifest_path)
    return sum((collection.image_root / path).is_file() for path in paths), len(paths)


def _some_paths(manifest: Path) -> list[str]:
    """Paths of rows spread over a manifest, read a column at a time."""
    with disk_errors(manifest):
        try:
            column = pq.read_table(manifest, columns=["path"]).column(0)
        except (OSError, ValueError) as error:  # an ArrowInvalid is a ValueError
            raise CollectionError(
                f"Expected a readable manifest, but {manifest} is missing or damaged. Import the collection again."
            ) from error
    step = max(1, len(column) // _LOOKED_FOR)
    paths: list[str] = column.take(list(range(0, len(column), step))[:_LOOKED_FOR]).to_pylist()
    return paths
