"""Uploads are kept under their digest, the same ones once, and removed when nobody uses them."""

from __future__ import annotations

import io
import os
import stat
import time
import zipfile

import pytest

from radcbir_core.collections.layout import collections_folder
from radcbir_core.errors import ArchiveError, ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.uploads.kept_uploads import keep_upload, remove_unused, uploads_folder
from tests.small_images import write_small_images


def archive(folder) -> io.BytesIO:
    """A ZIP archive of everything in a folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for path in sorted(folder.iterdir()):
            made.write(path, f"site/{path.name}")
    return content


def test_an_archive_is_unpacked_once_and_can_be_imported(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_small_images(source)
    told = []
    first = keep_upload([("my site.zip", archive(source))], progress=lambda *facts: told.append(facts))
    assert told[-1][0] == "unpack"
    assert first.files == 63
    assert first.folder.parent == uploads_folder()
    assert first.paths[0].name == "site", "below the folder that holds nothing else"
    assert stat.S_IMODE(first.folder.stat().st_mode) == 0o700
    before = len(told)
    again = keep_upload([("my site.zip", archive(source))], progress=lambda *facts: told.append(facts))
    assert again.paths == first.paths
    assert len(told) == before, "what is there is not unpacked again"
    assert import_as(ImportRequest(list(first.paths), "c")).images == 61


def test_an_archive_can_stay_packed(tmp_path):
    content = archive(tmp_path)
    kept = keep_upload([("a.zip", content)], stays_packed=lambda path: path.read_bytes() == content.getvalue())
    assert kept.paths == (kept.folder / "a.zip",)
    assert kept.files == 1


def test_tables_are_written_as_they_are():
    files = [("ds.csv", io.BytesIO(b"path\na\n")), ("../ds.h5", io.BytesIO(b"vectors"))]
    kept = keep_upload(files)
    assert [path.name for path in kept.paths] == ["ds.csv", "ds.h5"]
    assert kept.paths[1].parent == kept.folder / "ds"
    assert kept.paths[0].read_bytes() == b"path\na\n"
    assert keep_upload(files).folder == kept.folder
    assert keep_upload([("ds.csv", io.BytesIO(b"path\nb\n"))]).folder != kept.folder


def test_what_is_refused_leaves_nothing_to_import():
    nothing = io.BytesIO(b"")
    for files, message in (
        ([], "Expected a file, but none"),
        ([("photo.png", nothing)], "but there is 'photo.png'. Pack images into a ZIP archive."),
        ([("a.zip", nothing), ("t.csv", nothing)], "a ZIP archive alone, but there are 2 files with 'a.zip'"),
        ([("t.csv", nothing), ("x/t.csv", nothing)], "one name is there twice"),
    ):
        with pytest.raises(ManifestError, match=message.replace(".", r"\.")):
            keep_upload(files)
    with pytest.raises(ArchiveError, match="a file with a name"):
        keep_upload([("../..", nothing)])
    with pytest.raises(ArchiveError, match=r"but a\.zip is damaged"):
        keep_upload([("a.zip", io.BytesIO(b"no archive"))])
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as made:
        made.writestr("../evil.png", b"evil")
    with pytest.raises(ArchiveError, match="names that stay inside"):
        keep_upload([("a.zip", evil)])
    assert [path for path in uploads_folder().rglob("*") if path.is_file()] == []


def test_what_no_collection_uses_is_removed_after_a_day(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_small_images(source)
    used = keep_upload([("used.zip", archive(source))])
    import_as(ImportRequest(list(used.paths), "c"))
    waiting = keep_upload([("waiting.csv", io.BytesIO(b"path\n"))])
    unused = keep_upload([("unused.csv", io.BytesIO(b"path\n"))])
    fresh = keep_upload([("fresh.csv", io.BytesIO(b"path\n"))])
    yesterday = time.time() - 25 * 3600
    for upload in (used, waiting, unused):
        os.utime(upload.folder, (yesterday, yesterday))
    record = collections_folder() / "c" / "collection.json"
    content = record.read_bytes()
    record.write_text("{")
    assert remove_unused(waiting.paths) == [], "what a damaged collection uses is not known"
    record.write_bytes(content)
    assert remove_unused(waiting.paths) == [unused.folder]
    assert used.paths[0].is_dir()
    assert waiting.paths[0].is_file()
    assert fresh.paths[0].is_file()
