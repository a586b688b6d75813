"""ZIP archives from outside: nothing leaves the folder, nothing swells, and every refusal says why."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ArchiveError, StorageError
from radcbir_core.unpacking import ZipLimits, content_folder, unpack


def zipped(members, **options) -> io.BytesIO:
    """An archive of (name or ZipInfo, content) pairs."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", options.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in members:
            archive.writestr(name, data)
    content.seek(0)
    return content


def refused(content, tmp_path, *, limits=None) -> str:
    """The message of the refusal; makes sure that nothing was left anywhere."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    with pytest.raises(ArchiveError) as caught:
        unpack(content, place / "target", name="images.zip", limits=limits)
    assert list(place.iterdir()) == []
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert "images.zip" in message
    return message


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def test_folders_and_files_come_out_as_they_were(tmp_path):
    told = []
    content = zipped(
        [("site/", b""), ("site/manifest.csv", b"path\n1.png\n"), ("site/deep/er/1.png", bytes(3_000_000))]
    )
    unpacked = unpack(content, tmp_path / "a" / "b", progress=lambda *facts: told.append(facts))
    assert (unpacked.files, unpacked.total_bytes, unpacked.notes) == (2, 3_000_011, ())
    assert (tmp_path / "a/b/site/manifest.csv").read_bytes() == b"path\n1.png\n"
    assert (tmp_path / "a/b/site/deep/er/1.png").stat().st_size == 3_000_000
    assert told[0] == ("unpack", 0, 3_000_011)
    assert told[-1] == ("unpack", 3_000_011, 3_000_011)
    assert len(told) > 3
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    assert content_folder(tmp_path / "a/b") == tmp_path / "a/b/site"


def test_a_path_does_as_well_as_an_open_file(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(zipped([("1.png", b"x")]).getvalue())
    assert unpack(path, tmp_path / "t").files == 1
    with pytest.raises(ArchiveError, match=r"but .*none\.zip does not exist\. Check the path\."):
        unpack(tmp_path / "none.zip", tmp_path / "u")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "a/../../evil.png",
        "a/..",
        "/etc/passwd",
        "//host/x",
        "C:/x.png",
        "c:x.png",
        "\\x",
        "a\\..\\..\\x",
    ],
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    message = refused(zipped([("1.png", b"x"), (name, b"evil")]), tmp_path)
    assert "names that stay inside the archive's folder" in message
    assert repr(name) in message


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a\\b.png", "forward slashes"),
        ("a/new\nline.png", "printable characters"),
        ("a\x7f.png", "printable characters"),
        ("./a.png", "plain paths"),
        ("a//b.png", "plain paths"),
        ("x" * 256 + ".png", "names of at most 255 bytes"),
        ("/".join(["deep"] * 300), "paths of at most 1000"),
    ],
)
def test_names_that_are_no_plain_paths_are_refused(tmp_path, name, rule):
    assert rule in refused(zipped([("1.png", b"x"), (name, b"")]), tmp_path)


def test_a_name_that_ends_at_a_zero_byte_is_refused(tmp_path):
    raw = zipped([("1.pngX.txt", b"x")]).getvalue().replace(b"1.pngX.txt", b"1.png\0.txt")
    assert "printable characters" in refused(io.BytesIO(raw), tmp_path)


def test_links_and_special_files_are_refused(tmp_path):
    link = zipped([("1.png", b"x"), (special("etc", stat.S_IFLNK | 0o777), b"/etc")])
    assert "but images.zip has 'etc', which is a link" in refused(link, tmp_path)
    pipe = zipped([(special("pipe", stat.S_IFIFO | 0o600), b"")])
    assert "which is a special file" in refused(pipe, tmp_path)


def test_a_link_and_a_file_behind_it_write_nothing_outside(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    members = [(special("d", stat.S_IFLNK | 0o777), str(outside).encode()), ("d/evil.png", b"evil")]
    assert "which is a link" in refused(zipped(members), tmp_path)
    assert list(outside.iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_names_are_refused(tmp_path):
    assert "has '1.png' twice" in refused(zipped([("1.png", b"x"), ("1.png", b"y")]), tmp_path)
    assert "has 'a' twice, or as a file and a folder" in refused(zipped([("a", b"x"), ("a/1.png", b"y")]), tmp_path)
    assert "as a file and a folder" in refused(zipped([("a", b"x"), ("a/", b"")]), tmp_path)


def test_a_password_is_said(tmp_path):
    raw = bytearray(zipped([("1.png", b"secret")]).getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", raw, raw.index(mark) + offset, 1)
    message = refused(io.BytesIO(bytes(raw)), tmp_path)
    assert "an archive without a password, but images.zip has '1.png' encrypted" in message


def test_other_compressions_are_refused(tmp_path):
    assert "stored or deflated" in refused(zipped([("1.png", b"x")], compression=zipfile.ZIP_LZMA), tmp_path)


def test_a_bomb_is_refused_before_anything_is_written(tmp_path):
    bomb = zipped([(f"{n}.png", bytes(30_000_000)) for n in range(4)])
    assert len(bomb.getvalue()) < 200_000
    message = refused(bomb, tmp_path)
    assert "unpacks to at most 100 times its size" in message
    assert "as a ZIP bomb does" in message


def test_a_small_archive_of_blank_images_is_no_bomb(tmp_path):
    assert unpack(zipped([("blank.dcm", bytes(3_000_000))]), tmp_path / "t").total_bytes == 3_000_000


def test_numbers_and_sizes_have_limits(tmp_path):
    three = zipped([(f"{n}.png", b"12345") for n in range(3)])
    assert "at most 2 files, but images.zip has 3" in refused(three, tmp_path, limits=ZipLimits(files=2))
    assert "at most 4 bytes, but images.zip has '0.png', which unpacks to 5" in refused(
        three, tmp_path, limits=ZipLimits(file_bytes=4)
    )
    assert "at most 14 bytes in all" in refused(three, tmp_path, limits=ZipLimits(total_bytes=14))
    many = zipped([(f"{n}/", b"") for n in range(5)])
    assert "at most 2 files, but images.zip has 5 entries" in refused(many, tmp_path, limits=ZipLimits(files=2))


def test_an_archive_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path):
    raw = bytearray(zipped([("1.png", bytes(2_000_000))]).getvalue())
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(mark) + offset, 10)
    assert "damaged, cut off" in refused(io.BytesIO(bytes(raw)), tmp_path)


def test_overlapping_members_are_counted_each(tmp_path):
    """One member's bytes listed many times, as in Fifield's bomb: small in the file, large when unpacked."""
    raw = zipped([("0000.png", bytes(1_000_000))]).getvalue()
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    entry, count = raw[start:end], 200
    entries = b"".join(entry.replace(b"0000.png", b"%04d.png" % n) for n in range(count))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    message = refused(io.BytesIO(raw[:start] + entries + tail), tmp_path)
    assert "as a ZIP bomb does" in message


def test_damaged_and_other_files_are_refused(tmp_path):
    random = bytes(range(256)) * 100
    whole = zipped([("1.png", random), ("2.png", random)], compression=zipfile.ZIP_STORED).getvalue()
    for raw in (b"", b"no archive", whole[: len(whole) // 2], whole.replace(random[:50], b"\0" * 50, 1)):
        assert "damaged, cut off, or none at all" in refused(io.BytesIO(raw), tmp_path)


def test_an_empty_archive_is_refused(tmp_path):
    for members in ([], [("a/", b"")], [("__MACOSX/._1.png", b"x")]):
        assert "Expected files in the archive, but images.zip has none" in refused(zipped(members), tmp_path)


def test_what_macos_adds_is_left_out_and_said(tmp_path):
    names = ("site/1.png", "__MACOSX/site/._1.png", "site/.DS_Store", "site/._2.png", "site/my__MACOSX.png")
    unpacked = unpack(zipped([(name, b"x") for name in names]), tmp_path / "t")
    assert unpacked.files == 2
    assert unpacked.notes == ("Left out: 3 files that macOS adds to archives (__MACOSX, .DS_Store).",)
    assert sorted(path.name for path in (tmp_path / "t/site").iterdir()) == ["1.png", "my__MACOSX.png"]


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "mine.png").touch()
    with pytest.raises(StorageError, match="a folder that is not there yet"):
        unpack(zipped([("1.png", b"x")]), tmp_path / "t")
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["mine.png"]


def test_a_full_disk_is_said_before_and_a_read_only_one_too(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: _usage(free=1000))
        with pytest.raises(StorageError, match=r"Expected 0\.5 GB of free space to unpack a\.zip"):
            unpack(zipped([("1.png", b"x")]), tmp_path / "t", name="a.zip")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a part of its path is a file"):
        unpack(zipped([("1.png", b"x")]), tmp_path / "file" / "deep" / "t", name="a.zip")


def _usage(*, free: int):
    return type("Usage", (), {"free": free})()


def test_stopped_in_the_middle_nothing_is_left(tmp_path):
    def stop(step, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(zipped([("1.png", bytes(100)), ("2.png", bytes(100))]), tmp_path / "t", progress=stop)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(st.sampled_from("a./\\:C\né.."), min_size=1, max_size=12), st.binary(max_size=5)),
        min_size=1,
        max_size=5,
    )
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_the_names_nothing_is_written_outside(tmp_path_factory, members):
    place = tmp_path_factory.mktemp("place")
    (place / "inner").mkdir()
    try:
        unpack(zipped(members), place / "inner" / "target")
    except ArchiveError:
        assert list((place / "inner").iterdir()) == []
    else:
        files = [path for path in place.rglob("*") if path.is_file()]
        assert files
        assert all(path.is_relative_to(place / "inner" / "target") for path in files)
    assert [path.name for path in place.iterdir()] == ["inner"]


def test_a_content_folder_is_not_looked_for_behind_links(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "link").symlink_to(tmp_path, target_is_directory=True)
    assert content_folder(tmp_path / "t") == tmp_path / "t"
    assert isinstance(content_folder(tmp_path / "t"), Path)
