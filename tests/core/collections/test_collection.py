"""Collections on disk: opening, listing, removing, and what is damaged."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pytest

from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionNotFoundError, ImageError
from radcbir_core.pipeline import build_collection


def test_what_is_not_there_is_said(copied) -> None:
    with pytest.raises(CollectionNotFoundError, match=r"name = 'larg'\. There is small\."):
        open_collection("larg")
    with pytest.raises(CollectionNotFoundError):
        remove_collection("larg")
    remove_collection("small")
    with pytest.raises(CollectionNotFoundError, match="There is none yet: import one first"):
        open_collection("small")
    assert list(collections_folder().iterdir()) == []


def test_another_manifest_than_the_record_describes_is_refused(copied) -> None:
    manifest = copied.manifest
    type(manifest)(manifest.table.slice(1), digest="").write(copied.folder / "manifest.parquet")
    with pytest.raises(CollectionError, match=r"manifest\.parquet is another"):
        len(open_collection("small").manifest)


def test_a_file_that_is_gone_is_named(copied) -> None:
    moved = open_collection("small")
    moved.image_root = moved.image_root / "moved"
    with pytest.raises(ImageError, match=r"Expected the image file .*chest_00\.png, but it is not there"):
        moved.read_image(0)


def test_steps_that_are_current_are_not_made_again(copied) -> None:
    encoder = load_encoder("pixels")
    assert build_collection(copied, encoder).seconds == {}
    store = copied.store("pixels")
    store.projection_path.unlink()
    store.index_path.unlink()
    before = store.embeddings_path.stat().st_mtime_ns
    assert set(build_collection(copied, encoder).seconds) == {"index", "projection"}
    assert store.embeddings_path.stat().st_mtime_ns == before
    assert copied.store("pixels").states() == dict.fromkeys(ARTIFACT_NAMES, "current")


def test_a_build_with_another_version_makes_everything_anew_unless_its_numbers_are_the_same(copied) -> None:
    encoder = load_encoder("pixels")
    encoder.fingerprint = "0" * 64
    report = build_collection(copied, encoder)
    assert set(report.seconds) == {"embeddings"}, "the bytes are the same, and so is all that was made of them"
    assert copied.store("pixels").record["fingerprint"] == "0" * 64
    original = encoder.encode_prepared
    encoder.encode_prepared = lambda inputs: original(inputs)[:, ::-1]
    encoder.fingerprint = "1" * 64
    report = build_collection(copied, encoder)
    assert set(report.seconds) == set(ARTIFACT_NAMES)
    assert report.recall.at_10 > 0.9


@pytest.mark.parametrize("leading", ["absolute", "upwards", "a link"])
def test_a_manifest_that_leads_out_of_the_image_root_reads_nothing_there(copied, tmp_path, leading) -> None:
    """Whoever puts a folder of a collection beside the others has written its manifest too."""
    shutil.copytree(copied.image_root, root := tmp_path / "root")
    inside = copied.manifest.record(0)["path"]
    (tmp_path / "outside.png").write_bytes((root / inside).read_bytes())
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    paths = {"absolute": str(tmp_path / "outside.png"), "upwards": "../outside.png", "a link": "link.png"}
    table = copied.manifest.table
    given = [paths[leading], *table.column("path").to_pylist()[1:]]
    copied.image_root = root
    led_out = table.set_column(table.column_names.index("path"), "path", pa.array(given))
    copied.manifest = type(copied.manifest)(led_out, digest="")
    with pytest.raises(ImageError, match=r"Expected images below .*root, but the path of row 0 leads out of it"):
        copied.read_image(0)
    assert copied.read_image(1).pixels.size
