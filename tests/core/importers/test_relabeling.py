"""Correcting labels in place: what a table changes, what it refuses, and what is left as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radcbir_core.cli import main
from radcbir_core.collections.archive import open_archive, write_archive
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import COLUMNS, read_corrections
from radcbir_core.collections.export import export_manifest
from radcbir_core.collections.manifests.digests import digests_of
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, ManifestError, StaleError, StorageError
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.importers import import_collection
from radcbir_core.importers.relabeling import correct_labels
from radcbir_core.pipeline import build_collection
from tests.core.collections.records.test_migration import contents


@pytest.fixture
def small(small_data, tmp_path, monkeypatch) -> Collection:
    """A copy of the small collection that a test may change."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small")


@pytest.fixture
def csv(tmp_path):
    """Writes a table; ids are those of the small collection's first rows."""

    def write(text: str, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        return path

    return write


def ids(collection: Collection, count: int = 4) -> list[str]:
    return collection.manifest.table.column("image_id").to_pylist()[:count]


def cells(correction) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in correction.cells[["row", "column", "from", "to"]].itertuples(index=False)]


def test_one_corrected_label_leaves_pixels_alone(small, csv) -> None:
    """The point: the evaluation is made again, and no byte of embeddings, index, graph and map is touched."""
    (first, *_) = ids(small)
    before, was = contents(small.folder), small.manifest.record(0)["pathologies"]
    numbers = Precision().run(small.store("pixels")).table
    correction = correct_labels("small", csv(f"image_id,pathologies\n{first},corrected\n"), by="me")
    assert cells(correction) == [("0", "pathologies", "|".join(was), "corrected")]
    assert correction.written
    collection = correction.collection
    assert collection.manifest.record(0)["pathologies"] == ["corrected"]
    assert collection.digests.images == small.digests.images
    assert collection.digests.labels != small.digests.labels
    store = collection.store("pixels")
    assert {name for name, state in store.states().items() if state != "current"} == {"evaluation"}
    assert store.standings()["evaluation"].reason == "labels have changed since"
    assert set(build_collection(collection, load_encoder("pixels")).seconds) == {"evaluation"}
    after = contents(small.folder)
    assert {name: after.get(name) for name in before} == before, "also the manifest of before, for who reads it still"
    assert {name for name in after if name not in before} == {collection.manifest_path.name, "corrections.csv"}
    store = open_collection("small").store("pixels")
    assert store.is_current()
    assert not Precision().run(store).table.equals(numbers)


def test_the_real_collection(real_images, tmp_path, monkeypatch) -> None:
    """As above on real radiographs, by a path, with hashes and times."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    collection = import_collection([real_images / "nih_cxr14_64px"], name="real").collection
    build_collection(collection, load_encoder("pixels"))
    before = contents(collection.folder)
    path = collection.manifest.record(7)["path"]
    table = tmp_path / "t.csv"
    table.write_text(f"path,pathologies,view\n{path},Cardiomegaly|Corrected,lateral\n")
    correction = correct_labels("real", table)
    assert set(correction.cells["column"]) <= {"pathologies", "view"}
    assert set(build_collection(correction.collection, load_encoder("pixels")).seconds) == {"evaluation"}
    after = contents(collection.folder)
    assert {name: after.get(name) for name in before} == before
    assert open_collection("real").store("pixels").is_current()


def test_words_become_the_manifests_and_it_is_said(small, csv) -> None:
    one, two, three, four = ids(small)
    anatomy = small.manifest.record(0)["anatomy"]
    correction = correct_labels(
        "small",
        csv(
            f"""
            image_id;modality;pathology;split;anatomy;view
            {one};MRI;No Finding;Training;{anatomy.upper()};PA
            {two};x-ray;unknown;fold 3;{anatomy};
            {three};other;multiple;;n/a;AP
            {four};CT; new   word ;test;Elbow;
            """
        ),
        dry_run=True,
    )
    after = {(row, column): to for row, column, _, to in cells(correction)}
    assert after[("0", "modality")] == "MR"
    assert ("0", "anatomy") not in after, "the collection's own spelling"
    assert (after[("3", "pathologies")], after[("3", "anatomy")]) == ("new word", "Elbow")
    assert after.get(("2", "anatomy"), "") == ""
    words = {(change["column"], change["from"], change["to"]) for change in correction.changes}
    assert {
        ("modality", "MRI", "MR"),
        ("pathology", "No Finding", "normal"),
        ("split", "Training", "train"),
        ("split", "fold 3", ""),
        ("anatomy", anatomy.upper(), anatomy),
        ("pathology", "unknown", ""),
    } <= words
    assert not correction.written


def test_a_dry_run_writes_nothing_and_is_what_then_happens(small, csv) -> None:
    first, second, *_ = ids(small)
    table = csv(f"image_id,view,patient_id,split\n{first},lateral,somebody,test\n{second},,,\n")
    before = {path: path.read_bytes() for path in small.folder.rglob("*") if path.is_file()}
    told = correct_labels("small", table, dry_run=True)
    assert {path: path.read_bytes() for path in small.folder.rglob("*") if path.is_file()} == before
    done = correct_labels("small", table)
    assert told.cells.equals(done.cells)
    assert (told.written, done.written) == (False, True)
    assert (told.images, told.lines) == (done.images, 2)
    assert sum(told.columns.values()) == len(told.cells)
    again = correct_labels("small", table)
    assert (len(again.cells), again.written) == (0, False)


def test_an_edited_export_is_a_table_of_corrections(small, tmp_path) -> None:
    path = tmp_path / "edited.csv"
    export_manifest(small, path)
    assert not len(correct_labels("small", path).cells), "as exported, nothing changes"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[5, "pathologies"] = "edited|twice"
    frame.loc[6, "sha256"] = "no matter"
    frame.to_csv(path, index=False)
    correction = correct_labels("small", path)
    assert [(row, column, to) for row, column, _, to in cells(correction)] == [("5", "pathologies", "edited|twice")]
    assert correction.notes == ["Computed from the files, and not changed: sha256, width, height, duplicate_group."]
    assert open_collection("small").manifest.record(5)["pathologies"] == ["edited", "twice"]


def test_the_history_grows_travels_and_is_shown(small, csv, tmp_path, monkeypatch, capsys) -> None:
    assert read_corrections(small).empty
    first, second, *_ = ids(small)
    was = small.manifest.record(0)["view"]
    correct_labels("small", csv(f"image_id,view\n{first},one\n"), by="A. Reader")
    correct_labels("small", csv(f"image_id,view,caption\n{first},two,said\n{second},two,said\n"))
    history = read_corrections(open_collection("small"))
    assert tuple(history.columns) == COLUMNS
    assert history[["image_id", "column", "from", "to"]].values.tolist() == [
        [first, "view", was, "one"],
        [first, "view", "one", "two"],
        [first, "caption", small.manifest.record(0)["caption"], "said"],
        [second, "view", small.manifest.record(1)["view"], "two"],
        [second, "caption", small.manifest.record(1)["caption"], "said"],
    ]
    assert history["by"].tolist() == ["A. Reader", "", "", "", ""]
    assert set(history["source"]) == {"t.csv"}
    write_archive(open_collection("small"), tmp_path / "s.zip")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    there = open_archive(tmp_path / "s.zip")
    assert read_corrections(there).equals(history)
    assert there.manifest_path.name == "manifest.parquet"
    assert there.manifest.record(0)["view"] == "two"
    assert there.store("pixels").states()["evaluation"] == "stale"
    assert main(["info", "small"]) == 0
    assert "Corrected since the import: 5 cells of 2 images (view 3, caption 2), last at 20" in capsys.readouterr().out
    assert main(["info", "small", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["corrections"]["cells"] == 5


def test_who_has_it_open_reads_on(small, csv) -> None:
    """A collection opened before a correction goes on as it was, whether or not it has read its manifest."""
    first, *_ = ids(small)
    was = small.manifest.record(0)["view"]
    before = open_collection("small")
    correct_labels("small", csv(f"image_id,view\n{first},corrected\n"))
    assert before.manifest.record(0)["view"] == was
    assert before.store("pixels").is_current()
    assert open_collection("small").manifest.record(0)["view"] == "corrected"
    correct_labels("small", csv(f"image_id,view\n{first},again\n"))
    manifests = sorted(path.name for path in small.folder.glob("manifest*"))
    assert len(manifests) == 2, "that of now, and that of before for who reads it"
    assert before.manifest.record(0)["view"] == was, "it has read it"
    unread = before.__class__(small.folder)
    for word in ("once", "and again"):
        correct_labels("small", csv(f"image_id,view\n{first},{word}\n"))
    with pytest.raises(StaleError, match=r"but it has been changed since\. Open it again"):
        len(unread.manifest)


@pytest.mark.parametrize("at", ["Manifest.write", "atomic_bytes", "write_record"])
def test_old_or_new_whenever_it_is_killed(small, csv, monkeypatch, at) -> None:
    """Stopped at any write, the collection is as before, and the next correction cleans up and counts right."""
    first, second, *_ = ids(small)
    correct_labels("small", csv(f"image_id,view\n{first},one\n"))
    before = open_collection("small")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"radcbir_core.collections.corrections.{at}", killed)
        with pytest.raises(KeyboardInterrupt):
            correct_labels("small", csv(f"image_id,view\n{second},two\n"))
    now = open_collection("small")
    assert (now.digest, now.digests) == (before.digest, before.digests)
    assert now.manifest.table.equals(before.manifest.table)
    assert len(read_corrections(now)) == 1
    correct_labels("small", csv(f"image_id,view\n{second},three\n"))
    now = open_collection("small")
    assert [now.manifest.record(row)["view"] for row in (0, 1)] == ["one", "three"]
    assert read_corrections(now)["to"].tolist() == ["one", "three"]
    assert len(list(now.folder.glob("manifest*"))) == 2


def test_a_process_killed_by_the_system_leaves_the_old(small, csv, tmp_path) -> None:
    first, *_ = ids(small)
    table = csv(f"image_id,view\n{first},corrected\n")
    code = f"""
import os, signal
from pathlib import Path
from radcbir_core.collections import corrections
corrections.write_record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from radcbir_core.importers.relabeling import correct_labels
correct_labels("small", Path({str(table)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert open_collection("small").digest == small.digest
    assert correct_labels("small", table).written, "its locks are gone with it"
    assert len(read_corrections(open_collection("small"))) == 1


def test_a_full_disk_changes_nothing(small, csv, monkeypatch) -> None:
    first, *_ = ids(small)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("radcbir_core.collections.manifests.manifest.pq.write_table", full)
    with pytest.raises(StorageError, match="space left on the disk"):
        correct_labels("small", csv(f"image_id,view\n{first},corrected\n"))
    assert open_collection("small").digest == small.digest


def test_it_is_refused_while_somebody_builds(small, csv) -> None:
    first, *_ = ids(small)
    table = csv(f"image_id,view\n{first},corrected\n")
    with small.building("pixels"):
        with pytest.raises(CollectionError, match="is being built with pixels"):
            correct_labels("small", table)
        assert len(correct_labels("small", table, dry_run=True).cells) == 1
    assert correct_labels("small", table).written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,view\nnobody,PA\n", r"line 2 of .*t\.csv has image_id = 'nobody', which it does not hold"),
        ("path,view\nnowhere.png,PA\n", r"line 2 of .*t\.csv has path = 'nowhere\.png', which it does not hold"),
        ("path,view\n,PA\n", r"line 2 of .*t\.csv has path = '', which"),
        ("image_id,view\nFIRST,PA\n\nFIRST,AP\n", r"line 4 of .*t\.csv names the image of line 2 again: "),
        ("image_id,veiw\nFIRST,PA\n", r"but line 1 of .*t\.csv has 'veiw'\. Did you mean view\?"),
        ("image_id,zzz\nFIRST,PA\n", r"has 'zzz'\. It has dataset, split, "),
        ("image_id,width\nFIRST,12\n", r"Expected a column to change, but .* has only image_id, width, which say"),
        ("image_id\nFIRST\n", r"Expected a column to change"),
        ("name,view\nFIRST,PA\n", r"Expected a column image_id or path that says .* has name, view"),
        ("image_id,view\nFIRST,PA,1\n", r"Expected 2 cells, but the line has 3: line 2 of .*t\.csv\. Correct it"),
        ("image_id,view\n", r"Expected at least one correction, but .* has a header and no line below it"),
        ("", r"Expected a table with a header line"),
    ],
)
def test_mistakes_are_named_with_their_line_and_change_nothing(small, csv, text, message) -> None:
    table = csv("")
    table.write_text(text.replace("FIRST", ids(small)[0]))
    for dry_run in (True, False):
        with pytest.raises(ManifestError, match=message):
            correct_labels("small", table, dry_run=dry_run)
    assert open_collection("small").digest == small.digest
    assert not (small.folder / "corrections.csv").exists()


def test_images_may_be_named_by_their_file(small, csv) -> None:
    path = small.manifest.record(2)["path"]
    for name in (path, f"./{path}", str(small.image_root / path)):
        assert cells(correct_labels("small", csv(f"path,view\n{name},odd\n"), dry_run=True))[0][0] == "2", name


def test_the_command_says_what_changes_and_what_comes_next(small, csv, capsys, tmp_path) -> None:
    first, second, *_ = ids(small)
    table = csv(f"image_id,modality\n{first},MRI\n{second},US\n")
    assert main(["relabel", "small", str(table), "--dry-run", "--cells", str(tmp_path / "cells.csv")]) == 0
    out = capsys.readouterr().out
    assert "Nothing was written. Of 2 lines, 2 cells of 2 images (modality 2) would change." in out
    assert first in out
    assert pd.read_csv(tmp_path / "cells.csv")["to"].tolist() == ["MR", "US"]
    assert main(["relabel", "small", str(table), "--by", "me"]) == 0
    out = capsys.readouterr().out
    assert "Corrected small: 2 cells of 2 images (modality 2)." in out
    assert "Next, for evaluation: " in out
    assert " build small --encoder pixels" in out
    assert set(read_corrections(open_collection("small"))["by"]) == {"me"}
    assert main(["relabel", "small", str(table)]) == 0
    assert "Nothing to correct: small says of these 2 images what the table says." in capsys.readouterr().out
    assert main(["info", "small"]) == 0
    assert "pixels, evaluation stale: labels have changed since" in capsys.readouterr().out


WORDS = st.sampled_from(["", "normal", "nodule", "mass", "nodule|mass", "unknown", "No finding", "mass|mass"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(0, 60), st.tuples(WORDS, st.sampled_from(["", "PA", "n/a"])), min_size=1, max_size=6)
)
def test_told_is_exactly_what_differs(small, tmp_path, said) -> None:
    """Whatever the words: the cells told are those that differ, and no others differ."""
    before = open_collection("small")
    names = before.manifest.table.column("image_id").to_pylist()
    table = tmp_path / "t.csv"
    pd.DataFrame(
        [[names[row], *words] for row, words in said.items()], columns=["image_id", "pathologies", "view"]
    ).to_csv(table, index=False)
    correction = correct_labels("small", table)
    after = open_collection("small")
    assert digests_of(after.manifest.table) == after.digests
    one, other = before.manifest.frame, after.manifest.frame
    differing = {
        (row, column)
        for column in one.columns
        for row in range(len(one))
        if (
            set(one[column][row]) != set(other[column][row])
            if column == "pathologies"
            else one[column][row] != other[column][row]
        )
    }
    assert {(int(row), column) for row, column, *_ in cells(correction)} == differing
    assert differing <= {(row, column) for row in said for column in ("pathologies", "view")}


@pytest.fixture
def twice(tmp_path, picture, table, monkeypatch) -> Collection:
    """A collection whose source says labels twice: as it had them, and as the manifest has them."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    rows = [["a.png", "nodule", "nodule", "train"], ["b.png", "multiple", "nodule|mass", "test"]]
    for number, row in enumerate(rows):
        picture(tmp_path / "set" / row[0], seed=number)
    table(tmp_path / "set" / "manifest.csv", ["path", "pathology", "labels_all", "split_hint"], rows)
    return import_collection([tmp_path / "set"], name="twice").collection


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"pathologies": "cyst"}, ["cyst"]),
        ({"pathology": "cyst"}, ["cyst"]),
        ({"pathology": "multiple", "labels_all": "cyst|mass"}, ["cyst", "mass"]),
        ({"pathologies": "cyst", "pathology": "Cyst"}, ["cyst"]),
        ({"pathologies": ""}, []),
    ],
)
def test_labels_that_are_said_twice_are_corrected_in_either(twice, tmp_path, edit, expected) -> None:
    path = tmp_path / "edited.csv"
    export_manifest(twice, path)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert {"pathologies", "pathology", "labels_all"} <= set(frame.columns)
    for column, word in edit.items():
        frame.loc[0, column] = word
    frame.to_csv(path, index=False)
    correction = correct_labels("twice", path)
    now = open_collection("twice").manifest
    assert [word.casefold() for word in now.record(0)["pathologies"]] == expected
    assert now.record(1)["pathologies"] == ["nodule", "mass"]
    assert set(correction.cells["column"]) <= {"pathologies", "pathology", "labels_all"}


def test_two_corrections_of_one_label_are_refused(twice, tmp_path) -> None:
    path = tmp_path / "edited.csv"
    path.write_text("path,pathologies,pathology\na.png,cyst,mass\n")
    message = (
        r"line 2 of .*edited\.csv has 'cyst' in pathologies and 'mass' in pathology\. Take one of these columns out"
    )
    with pytest.raises(ManifestError, match=message):
        correct_labels("twice", path)


def test_columns_of_a_source_mean_what_they_mean_in_an_import(twice, tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("path,split_hint,pathology\nb.png,validation,No finding\n")
    correction = correct_labels("twice", path)
    assert {(column, to) for _, column, _, to in cells(correction)} == {
        ("split", "val"),
        ("split_hint", "validation"),
        ("pathologies", "normal"),
        ("pathology", "No finding"),
    }


def test_an_export_after_a_correction_is_a_table_again(twice, tmp_path) -> None:
    path = tmp_path / "edited.csv"
    path.write_text("path,pathologies\na.png,cyst\n")
    correct_labels("twice", path)
    export_manifest(open_collection("twice"), path)
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert "source_pathology" in frame, "the source says otherwise now, and an import would believe it"
    assert not len(correct_labels("twice", path).cells), "as exported, nothing changes"
    frame.loc[1, ["pathologies", "source_pathology"]] = ["mass", "as it was"]
    frame.to_csv(path, index=False)
    assert {(row, column, to) for row, column, _, to in cells(correct_labels("twice", path))} == {
        ("1", "pathologies", "mass"),
        ("1", "pathology", "as it was"),
    }


@pytest.mark.parametrize(
    ("cell", "pathologies"),
    [
        ("[]", []),
        ("['nodule', 'mass']", ["nodule", "mass"]),
        (' ["nodule"] ', ["nodule"]),
        ("['nodule' 'mass']", ["nodule", "mass"]),
    ],
)
def test_a_list_of_a_programming_language_is_read_as_at_an_import(twice, tmp_path, cell, pathologies) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"path": ["a.png"], "pathologies": [cell]}).to_csv(path, index=False)
    manifest = correct_labels("twice", path).collection.manifest
    assert manifest.record(manifest.column("path").tolist().index("a.png"))["pathologies"] == pathologies


@pytest.mark.parametrize("cell", ["[nodule, mass]", "['nodule', mass]", "[nodule|mass]"])
def test_a_list_that_is_none_is_no_pathology(twice, tmp_path, cell) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"path": ["a.png"], "pathologies": [cell]}).to_csv(path, index=False)
    with pytest.raises(ManifestError, match=r"with \| between them, but line 2 of .*t\.csv has the list"):
        correct_labels("twice", path)


def test_an_id_beside_the_path_of_another_image_is_refused(small, csv) -> None:
    """A column that was sorted without the others would put each label on another image."""
    first, second = ids(small, 2)
    paths = small.manifest.table.column("path").to_pylist()
    table = csv(f"image_id,path,view\n{first},{paths[0]},PA\n{second},{paths[0]},PA\n")
    with pytest.raises(ManifestError, match=r"line 3 of .*t\.csv has image_id = .* and the path of another"):
        correct_labels("small", table)
    assert open_collection("small").manifest.record(0)["view"] != "PA", "nothing was written"
    elsewhere = csv(f"image_id,path,view\n{first},{paths[0]},PA\n{second},from/another/folder.png,PA\n")
    assert correct_labels("small", elsewhere).images == 2


def test_paths_with_backslashes_are_looked_up_once(small, csv, monkeypatch) -> None:
    """Not for every line anew: a table of a whole collection took minutes."""
    asked = []
    column = Manifest.column
    monkeypatch.setattr(Manifest, "column", lambda self, name: asked.append(name) or column(self, name))
    paths = small.manifest.table.column("path").to_pylist()
    written = "".join(f"{'.' + chr(92) + path},PA\n" for path in paths)
    assert correct_labels("small", csv(f"path,view\n{written}"), dry_run=True).images == len(paths)
    assert asked.count("path") <= 3


def test_a_table_may_say_who_made_each_line_and_when(small, csv) -> None:
    one, two, three, *_ = ids(small)
    table = csv(f"""
        image_id,anatomy,corrected_by,corrected_at
        {one},elbow,anna,2026-01-02T04:00:00+01:00
        {two},elbow,,
        {three},'=elbow,'=ben,
    """)
    correction = correct_labels("small", table, by="chief")
    history = read_corrections(correction.collection)
    assert history["by"].tolist() == ["anna", "chief", "=ben"]
    assert history["to"].tolist() == ["elbow", "elbow", "=elbow"]
    assert history["when"].tolist()[0] == "2026-01-02T03:00:00.000000+00:00"
    assert history["when"].tolist()[1] == history["when"].tolist()[2] != ""


def test_a_time_that_is_none_is_refused_with_its_line(small, csv) -> None:
    table = csv(f"image_id,anatomy,corrected_at\n{ids(small)[0]},elbow,yesterday\n")
    with pytest.raises(ManifestError, match=r"a time with its zone.*, in corrected_at of line 2"):
        correct_labels("small", table)


def test_who_and_when_alone_correct_nothing(small, csv) -> None:
    with pytest.raises(ManifestError, match="Expected a column to change"):
        correct_labels("small", csv(f"image_id,corrected_by\n{ids(small)[0]},anna\n"))
