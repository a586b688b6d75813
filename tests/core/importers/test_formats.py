"""The table of formats: which one a path has, what may be asked of it, and what goes together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers.formats import (
    CSV,
    FORMATS,
    MANIFEST,
    detect,
    format_named,
    formats_of,
    import_as,
    reason_for,
    sources_of,
)
from radcbir_core.importers.request import OPTIONS, ImportRequest


@pytest.fixture
def places(tmp_path, picture, table) -> dict[str, Path]:
    """A path of nearly every format, by the format's name."""
    table(tmp_path / "manifest" / "manifest.csv", ["path"], [["1.png"]])
    table(tmp_path / "own.csv", ["file", "finding"], [["1.png", "mass"]])
    pq.write_table(pa.table({"file": ["1.png"]}), tmp_path / "own.parquet")
    np.savez(tmp_path / "pneumoniamnist.npz", x=np.zeros(1))
    table(
        tmp_path / "u.csv",
        ["filepath", "dataset", "split", "modality", "anatomic_region", "a"],
        [["1", "d", "test", "CT", "x", 1]],
    )
    table(tmp_path / "rad" / "RadiologyAI_train.csv", ["filename", "label"], [["a", "b"]])
    picture(tmp_path / "folders" / "CT" / "head" / "mass" / "1.png")
    return {
        "manifest": tmp_path / "manifest",
        "csv": tmp_path / "own.csv",
        "parquet": tmp_path / "own.parquet",
        "medmnist": tmp_path / "pneumoniamnist.npz",
        "embeddings": tmp_path / "u.csv",
        "radimagenet": tmp_path / "rad",
        "folder": tmp_path / "folders",
    }


def test_every_format_can_be_loaded_and_says_what_it_understands() -> None:
    assert len({known.name for known in FORMATS}) == len(FORMATS)
    for known in FORMATS:
        module = known.load()
        assert hasattr(module, "read") != hasattr(module, "run"), known.name
        assert known is MANIFEST or hasattr(module, "recognizes")
        assert known.options <= OPTIONS
        assert format_named(known.name) is known
    assert {known.name for known in FORMATS if known.makes_collection} == {"embeddings", "medmnist"}


def test_a_path_is_recognized(places) -> None:
    assert {name: detect(path).name for name, path in places.items()} == {name: name for name in places}


def test_a_mapping_makes_a_file_a_table_and_a_manifest_stays_one(places) -> None:
    table = places["manifest"] / "manifest.csv"
    assert (detect(table), detect(table, mapped=True)) == (MANIFEST, CSV)
    assert detect(places["manifest"], mapped=True) == MANIFEST
    assert detect(places["parquet"], mapped=True).name == "parquet"


def test_a_manifest_goes_before_everything_else(places) -> None:
    (places["folder"] / "manifest.csv").write_text("path\n1.png\n")
    assert detect(places["folder"]) == MANIFEST


def test_paths_that_are_nothing_to_import(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"gone does not exist\. Check the path"):
        detect(tmp_path / "gone")
    with pytest.raises(ManifestError, match=r"but format = 'dycom'\. Choose one of these"):
        format_named("dycom")


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        ([], {}, "no SOURCE is given. Name a folder or a table."),
        (
            ["manifest"],
            {"modality": "CT"},
            "the format manifest understands (check, every, image_root, leave_out, masks, suffix), but modality",
        ),
        (["manifest", "csv"], {"encoder_id": "x"}, "the format manifest and csv understands ("),
        (["manifest", "medmnist"], {}, "but one of 2 paths has the format medmnist, which makes a collection of its"),
        (["manifest"], {"take_changes": True}, "but this makes a new one. Add to the one that has them."),
        (["medmnist"], {"add": True}, "but medmnist writes images of its own. Import under another name."),
        (["embeddings"], {"add": True, "take_changes": True}, "but changes are to be taken. Leave that out"),
    ],
)
def test_what_is_refused_before_anything_is_read(places, names, asked, message) -> None:
    with pytest.raises(ManifestError) as caught:
        import_as(ImportRequest([places[name] for name in names], "c", **asked))
    assert message in str(caught.value)


def test_an_option_that_one_of_several_formats_understands(places) -> None:
    request = ImportRequest([places["manifest"], places["csv"]], "c", modality="CT")
    assert [known.name for known in formats_of(request)] == ["manifest", "csv"]


def test_a_download_is_medmnist_without_a_path(monkeypatch) -> None:
    assert [known.name for known in formats_of(ImportRequest([], "c", download="breastmnist"))] == ["medmnist"]


def test_reasons(places) -> None:
    for name, path in places.items():
        reason = reason_for(path, format_named(name))
        assert reason == ("its manifest.csv" if name == "manifest" else format_named(name).sign)
    assert reason_for(places["manifest"].parent, MANIFEST) == "the manifest.csv in folders below"


def test_paths_of_one_format_in_a_row_are_read_together(tmp_path, table, picture) -> None:
    for name in ("a/x", "b/x"):
        table(tmp_path / name / "manifest.csv", ["path"], [["1.png"]])
    picture(tmp_path / "c" / "CT" / "head" / "mass" / "1.png")
    paths = [tmp_path / "a/x", tmp_path / "b/x", tmp_path / "c"]
    request = ImportRequest(paths, "c")
    assert [source.dataset for source in sources_of(request, formats_of(request))] == ["a/x", "b/x", "c"]
    request = ImportRequest([paths[0], paths[2], paths[1]], "c")
    assert [source.dataset for source in sources_of(request, formats_of(request))] == ["x", "c", "x"]
