"""What belongs into an archive, and the list of its members."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.archive.contents import Member, belongs, is_image, read_list, write_list
from radcbir_core.collections.artifacts import ARTIFACTS
from radcbir_core.errors import ArchiveError


def test_lists_of_members_are_read_as_they_are_written() -> None:
    text = io.StringIO()
    members = [Member("0" * 64, 3, 'images/a "b", c.png'), Member("1" * 64, 0, "problems.csv")]
    write_list(members, text)
    text.seek(0)
    assert read_list(text, name="a.zip") == members
    for damaged in ("", "x", "sha256,bytes,path\na,b,c\n", "sha256,bytes,path\na,1\n"):
        with pytest.raises(ArchiveError, match=r"but members\.csv in a\.zip is none"):
            read_list(io.StringIO(damaged), name="a.zip")


@given(
    st.lists(
        st.tuples(
            st.text("0123456789abcdef", min_size=64, max_size=64),
            st.integers(0, 2**50),
            st.text(st.characters(exclude_categories=["C"]), min_size=1),
        )
    )
)
def test_any_names_come_back(members) -> None:
    text = io.StringIO()
    written = [Member(*member) for member in members]
    write_list(written, text)
    text.seek(0)
    assert read_list(text, name="a.zip") == written


def test_whatever_is_built_belongs() -> None:
    for artifact in ARTIFACTS:
        for name in (*artifact.files, *artifact.one_of):
            assert belongs(f"encoders/biomedclip/{name}"), name
        if artifact.folder:
            assert belongs(f"encoders/biomedclip/{artifact.folder}/paper/0123/table.parquet")
            assert not belongs(f"encoders/biomedclip/{artifact.folder}/a/b/c/d/table.parquet")


@pytest.mark.parametrize(
    "path",
    [
        "collection.json",  # goes in another way
        "pseudonyms.salt",
        "images/1.png",
        "thumbnails/1.bin",
        "thumbnails/000000.webp",
        "thumbnails/0.crc",
        "encoders/pixels/shards/0.npy",
        "encoders/../manifest.parquet",
        "encoders/Pixels/embeddings.npy",
        "encoders/pixels/evaluation/.partial-1-a.parquet",
        "encoders/pixels/evaluation/run.sh",
        "manifest.parquet/x",
        "x/manifest.parquet",
        "",
    ],
)
def test_nothing_else_belongs(path) -> None:
    assert not belongs(path)


def test_images_lie_in_their_folder() -> None:
    assert [is_image(path) for path in ("images/a/1.png", "images", "my/images/1.png")] == [True, False, False]
