"""Which files are searched with in turn, and that an archive of strangers is not unpacked."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from radcbir_core.batch.query_files import files_at, files_in, files_of
from radcbir_core.errors import ArchiveError, ImageError, QueryError
from radcbir_core.unpacking import ZipLimits
from tests.small_images import draw


def png(number: int = 0) -> bytes:
    buffer = io.BytesIO()
    draw(0, number).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def names(found) -> list[str]:
    return [file.name for file in found.files]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "all" / "b").mkdir(parents=True)
    for name in ("z.png", "b/1.png", "b/mask_1.png"):
        (tmp_path / "all" / name).write_bytes(png())
    (tmp_path / "all" / "notes.txt").write_text("none")
    return tmp_path / "all"


def test_of_a_folder_each_image_below_it_masks_too(folder) -> None:
    found = files_at([folder])
    assert names(found) == ["b/1.png", "b/mask_1.png", "z.png"]
    assert found.files[0].read() == folder / "b" / "1.png"
    assert found.notes == ("Passed over, because they are no images that can be read: .txt 1.",)


def test_folders_archives_and_files_together(folder, tmp_path) -> None:
    archive = tmp_path / "some.zip"
    archive.write_bytes(zipped(**{"in/a.png": png(1)}))
    loose = folder / "z.png"
    assert names(files_at([folder, archive, loose])) == [
        "all/b/1.png", "all/b/mask_1.png", "all/z.png", "some.zip/in/a.png", str(loose),
    ]  # fmt: skip
    assert names(files_at([archive])) == ["in/a.png"]


def test_what_is_not_there_or_has_no_images_is_said(tmp_path) -> None:
    with pytest.raises(QueryError, match="does not exist"):
        files_at([tmp_path / "nowhere"])
    with pytest.raises(QueryError, match="has none"):
        files_at([tmp_path])
    with pytest.raises(QueryError, match="there are none among the files"):
        files_of([("a.zip", zipped(**{"notes.txt": b"none"}))])


def test_members_are_read_one_by_one_and_nothing_is_written(tmp_path) -> None:
    inner = zipped(**{"deep.png": png()})
    packed = zipped(
        **{
            "1.png": png(1),
            "no_suffix": png(2),
            "inner.zip": inner,
            "a.csv.gz": b"none",
            "__MACOSX/._1.png": b"x",
            "a/.DS_Store": b"x",
        }
    )
    found = files_of([("set.zip", packed)])
    assert names(found) == ["1.png", "no_suffix"]
    assert [file.read() for file in found.files] == [png(1), png(2)]
    assert found.notes == (
        "Left out: 2 files that macOS adds to archives (__MACOSX, .DS_Store).",
        "Passed over, because they are no images that can be read: .gz 1, .zip 1.",
    )
    assert list(tmp_path.iterdir()) == []


def test_several_uploads_are_named_apart() -> None:
    found = files_of([("a.png", png(1)), ("set.zip", zipped(**{"a.png": png(2)}))])
    assert names(found) == ["a.png", "set.zip/a.png"]
    assert [file.read() for file in found.files] == [png(1), png(2)]


def test_a_damaged_member_is_an_error_of_its_own() -> None:
    packed = bytearray(zipped(**{"1.png": png(1), "2.png": png(2)}))
    where = packed.index(b"1.png") + 60
    packed[where : where + 20] = bytes(20)
    first, second = files_of([("set.zip", bytes(packed))]).files
    with pytest.raises(ImageError, match=r"1\.png is damaged in its archive"):
        first.read()
    assert second.read() == png(2)


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "C:\\out.png", "a/../../out.png"])
def test_names_that_lead_out_are_refused(name) -> None:
    with pytest.raises(ArchiveError, match="stay inside"):
        files_of([("set.zip", zipped(**{name: png()}))])


def test_bombs_links_and_damage_are_refused() -> None:
    with pytest.raises(ArchiveError, match="as a ZIP bomb does"):
        files_of([("bomb.zip", zipped(**{"a.png": bytes(80 * 1024 * 1024)}))])
    with pytest.raises(ArchiveError, match="at most 10 bytes"):
        files_of([("set.zip", zipped(**{"a.png": png()}))], limits=ZipLimits(file_bytes=10))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="which is a link"):
        files_of([("set.zip", buffer.getvalue())])
    with pytest.raises(ArchiveError, match="damaged or cut off"):
        files_in(io.BytesIO(b"PK\x05\x06 and no more"), name="cut.zip")


def test_names_that_are_no_text_are_written_out(folder) -> None:
    """Of a disk that was written under Latin-1: the file is read all the same."""
    odd = (folder / "z.png").rename(folder / "\udcfc.png")
    found = files_at([folder])
    assert names(found) == ["b/1.png", "b/mask_1.png", r"\xfc.png"]
    assert found.files[-1].read() == odd
    assert names(files_at([odd])) == [f"{folder}/\\xfc.png"]
