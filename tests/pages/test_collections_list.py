"""The Collections page below the wizard: the list, and the life of a collection, control by control."""

from __future__ import annotations

import doctest
import json
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pages.parts.collections import exports, sizes
from pages.parts.jobs import stages
from radcbir_core import jobs
from radcbir_core.collections.archive import open_archive, write_archive
from radcbir_core.collections.artifacts import EVALUATION, INDEX, NEIGHBORS, PROJECTION
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.export import export_manifest
from radcbir_core.collections.layout import list_collections
from radcbir_core.collections.manifests.manifest_columns import ColumnsInFile
from radcbir_core.encoders.usable import Usable
from radcbir_core.errors import CollectionError, Remedy, StaleError
from radcbir_core.evaluation import evaluation_of
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from radcbir_core.jobs.kinds.export_file import ExportFile
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from tests.pages.conftest import wait
from tests.pages.reading import complaints, html, words
from tests.stale import forget

pytestmark = pytest.mark.usefixtures("in_threads")


def second(folder: Path, name: str = "other", **facts: object) -> Path:
    """A further collection beside the one in ``folder``: a copy under another name."""
    copy = folder.with_name(name)
    shutil.copytree(folder, copy)
    record = json.loads((copy / "collection.json").read_text())
    (copy / "collection.json").write_text(json.dumps(record | {"name": name, **facts}))
    return copy


def button(at, label: str):
    found = [one for one in at.button if one.label == label]
    assert len(found) == 1, [one.label for one in at.button]
    return found[0]


def box(at, label: str):
    return next(one for one in at.text_input if one.label == label)


def test_the_list_tells_what_each_collection_is(copied_data, app) -> None:
    second(copied_data, title="Another <title>")
    at = app("collections", collection="small")
    assert not complaints(at)
    shown = html(at)
    for text in (
        '<td class="name">small <b class="open">● open</b><small>Small &amp; &lt;made up&gt;</small></td>',
        '<td class="name">other<small>Another &lt;title&gt;</small></td>',
        '<td class="number">61</td><td class="number">25</td>',
        "XR\u00a021 · CT\u00a020 · MR\u00a020",
        "train\u00a043 · test\u00a018",
        "✓ 1 of 1",
        '<td class="number">2</td>',
    ):
        assert text in shown, text


def test_it_counts_without_reading_whole_manifests(copied_data, app, monkeypatch) -> None:
    """The list and the overview come from a few columns, which are read one by one."""
    for number in range(10):
        copy = second(copied_data, f"z{number}", created=f"2026-01-0{number}")
        (copy / "problems.csv").unlink()
    read = ColumnsInFile.table

    def some(columns: ColumnsInFile, names: Sequence[str] | None = None) -> pa.Table:
        assert names is not None
        assert not {"image_id", "path", "caption", "sha256"} & set(names)
        return read(columns, names)

    monkeypatch.setattr(ColumnsInFile, "table", some)
    at = app("collections", collection="small", show="z3")
    assert not complaints(at)
    assert html(at).count('<td class="number">61</td><td class="number">25</td>') == 11
    assert [one.label for one in at.selectbox if one.label == "Shown below"]
    assert "Labels</span><b>" in html(at)


def test_damaged_collections_are_listed_with_the_error_and_the_rest_works(copied_data, app) -> None:
    second(copied_data, "record")
    (copied_data.with_name("record") / "collection.json").write_text("{")
    second(copied_data, "table")
    (copied_data.with_name("table") / "manifest.parquet").write_bytes(b"no")
    copied_data.with_name("nothing").mkdir()
    at = app("collections", collection="small")
    assert not complaints(at)
    shown = html(at)
    assert shown.count("<b>! damaged</b>") == 3
    assert "it is not valid JSON" in shown
    assert "manifest.parquet is missing or damaged" in shown
    assert "Expected a collection.json, but " in shown
    assert "Labels</span><b>" in shown

    at = app("collections", collection="small", show="record")
    assert "Expected a readable JSON file" in complaints(at)
    box(at, "To remove it, type its name: record").set_value("record").run()
    button(at, "Remove for good").click().run()
    assert "record was removed" in "\n".join(one.value for one in at.success).replace("*", "")
    assert list_collections() == ["small", "table"]

    at = app("collections", collection="small", show="table", part="provenance")
    assert "manifest.parquet is missing or damaged" in complaints(at)


def test_a_collection_is_opened_for_all_pages(copied_data, app) -> None:
    second(copied_data)
    at = app("collections", collection="small", show="other")
    button(at, "Open here and on all pages").click().run()
    assert not complaints(at)
    assert [one.value for one in at.sidebar.selectbox if one.label == "Collection"] == ["other"]
    assert button(at, "Open on all pages").disabled
    at.switch_page("app.py").run()
    assert [one.value for one in at.sidebar.selectbox if one.label == "Collection"] == ["other"]


def test_the_overview_tells_the_room_on_disk_part_by_part(copied_data, app) -> None:
    at = app("collections")
    shown = html(at)
    embeddings = (copied_data / "encoders" / "pixels" / "embeddings.npy").stat().st_size
    assert f'<td>embeddings</td><td class="number">{sizes.said(embeddings)}</td>' in shown
    for part in ("table of images", "thumbnails", "index", "neighbors", "map", "evaluation", "pixels"):
        assert f"<td>{part}</td>" in shown, part
    assert "Patients</span><b>25</b><small>known of 51 images" in shown


def test_sizes_are_said_shortly() -> None:
    assert doctest.testmod(sizes).failed == 0


def test_problems_are_searched_and_downloaded(copied_data, app) -> None:
    at = app("collections", part="problems")
    assert len(at.dataframe[0].value) == 2
    assert "2 rows of 2" in words(at)
    box(at, "Search").set_value("MISSING.png").run()
    assert at.dataframe[0].value["path"].tolist() == ["missing.png"]
    assert dict(at.query_params)["find"] in ("MISSING.png", ["MISSING.png"])
    box(at, "Search").set_value("no such words").run()
    assert "0 rows of 2" in words(at)
    assert not at.dataframe
    (copied_data / "problems.csv").unlink()
    at = app("collections", part="problems")
    assert "None: every row could be read." in words(at)


def test_what_the_import_remarked_is_said_beside_the_problems(copied_data, app) -> None:
    record = json.loads((copied_data / "collection.json").read_text())
    record["notes"] = ["In 3 images: Its pixels are not *square*."]
    (copied_data / "collection.json").write_text(json.dumps(record))
    assert "- In 3 images: Its pixels are not *square*." in words(app("collections", part="problems"))
    assert "- In 3 images: Its pixels are not *square*." in words(app())
    (copied_data / "problems.csv").unlink()
    assert "- In 3 images: Its pixels are not *square*." in words(app("collections", part="problems"))


def test_provenance_tells_sources_licences_changes_digests_and_versions(copied_data, app) -> None:
    record = json.loads((copied_data / "collection.json").read_text())
    record |= {"licences": {"CC <0>": 60}, "notes": ["Read this."]}
    (copied_data / "collection.json").write_text(json.dumps(record))
    at = app("collections", part="provenance")
    assert not complaints(at)
    shown = html(at)
    for text in (
        record["sources"][0]["origin"],
        "<td>CC &lt;0&gt;</td><td>60</td>",
        "<td>modality</td><td>X-ray</td><td>XR</td><td>21</td>",
        "<td>Read this.</td>",
        f"<td>SHA-256 {record['manifest_digest']}</td>",
        "each image was read and decoded",
        "61 of 61 looked for",
        "<td>neighbor graph</td><td>exact</td>",
        "numpy ",
    ):
        assert text in shown, text


def test_provenance_of_an_archive_says_so_and_an_odd_record_is_one_line(copied_data, app, tmp_path) -> None:
    write_archive(open_collection("small"), tmp_path / "s.zip")
    opened = open_archive(tmp_path / "s.zip", "opened")
    at = app("collections", collection="small", show="opened", part="provenance")
    assert not complaints(at)
    assert "of small, exported " in html(at)
    at = app("collections", collection="small", show="opened", part="encoders")
    assert "Its images are not at hand" in words(at)
    (opened.folder / "collection.json").write_text(json.dumps(opened.record | {"notes": "x"}))
    at = app("collections", collection="small", show="opened", part="provenance")
    assert "has another kind of value in notes" in complaints(at)


def test_an_encoder_that_is_not_complete_has_its_command_and_can_be_built(copied_data, app, monkeypatch) -> None:
    store = open_collection("small").store("pixels")
    forget(store, INDEX, NEIGHBORS, EVALUATION, PROJECTION)
    asked: list[ImportAndBuild] = []
    monkeypatch.setattr("pages.parts.jobs.controls.start", lambda request, **_: asked.append(request))
    at = app("collections", part="encoders")
    assert not complaints(at)
    assert "✓ current" in html(at)
    assert "○ missing" in html(at) or "! stale" in html(at)
    assert "python -m radcbir_core build small --encoder pixels" in [code.value for code in at.code]
    choice = next(one for one in at.selectbox if one.key == "radcbir:build-small")
    assert choice.options[0] == "Pixels (32 x 32 baseline) · go on"
    button(at, "Build").click().run()
    assert asked == [ImportAndBuild("small", encoders=("pixels",))]


def test_further_encoders_are_looked_for_when_asked(copied_data, app, monkeypatch) -> None:
    kit = Usable("local-dir:/kits/biomedclip", "BiomedCLIP", supports_text=True)
    monkeypatch.setattr("pages.parts.frame.loaders.usable_encoders", lambda: [kit])
    at = app("collections", part="encoders")
    choices = [one.options for one in at.selectbox if one.key == "radcbir:build-small"]
    assert choices == [["RadCBIR mini (demonstration)"]]
    button(at, "Look for further encoders on this machine").click().run()
    assert not complaints(at)
    assert [one.options for one in at.selectbox if one.key == "radcbir:build-small"] == [["BiomedCLIP"]]


def test_a_build_that_cannot_begin_says_why(copied_data, app, monkeypatch) -> None:
    def refuse(_: object, **__: object) -> None:
        raise CollectionError("Expected one piece of work, but there are two. Wait.")

    monkeypatch.setattr("pages.parts.jobs.controls.start", refuse)
    at = app("collections", part="encoders")
    assert "pixels" not in [one.value for one in at.selectbox if one.key == "radcbir:build-small"]
    button(at, "Build").click().run()
    assert "Expected one piece of work, but there are two. Wait." in complaints(at)
    at.run()
    assert not complaints(at)


def test_renaming(copied_data, app) -> None:
    second(copied_data)
    at = app("collections", collection="small", part="change")
    assert button(at, "Rename").disabled
    box(at, "Name").set_value("other").run()
    button(at, "Rename").click().run()
    assert "name = 'other' exists already" in complaints(at)
    box(at, "Name").set_value("chest-2").run()
    box(at, "Title").set_value("Chest *two*").run()
    with open_collection("small").building("pixels"):
        button(at, "Rename").click().run()
        assert "is being built with pixels" in complaints(at)
    assert list_collections() == ["other", "small"]
    button(at, "Rename").click().run()
    assert not complaints(at)
    assert open_collection("chest-2").title == "Chest *two*"
    assert [one.value for one in at.sidebar.selectbox if one.label == "Collection"] == ["chest-2"]
    assert "is now called" in at.success[0].value
    assert html(at).count('<b class="open">● open</b>') == 1
    at.run()
    assert not at.success
    # A link with the old name says that it is gone.
    assert "but collection = 'small'. There are: chest-2, other." in complaints(app("retrieval", collection="small"))


def test_ended_work_is_forgotten_with_the_name(copied_data, app, monkeypatch) -> None:
    forgotten: list[str] = []

    class Ended:
        def __init__(self, name: str) -> None:
            self.name = name

        def dismiss(self) -> None:
            forgotten.append(self.name)

    monkeypatch.setattr(jobs, "list_jobs", lambda: [Ended("small"), Ended("other")])
    at = app("collections", part="change")
    box(at, "Name").set_value("small-2").run()
    button(at, "Rename").click().run()
    assert not complaints(at)
    assert forgotten == ["small"]


def test_a_new_title_is_seen_at_once(copied_data, app) -> None:
    at = app("collections", collection="small", part="change")
    box(at, "Title").set_value("New title").run()
    button(at, "Rename").click().run()
    assert not complaints(at)
    at.switch_page("app.py").run()
    assert "New title" in words(at)


def test_images_are_found_again(copied_data, app, tmp_path, monkeypatch) -> None:
    root = open_collection("small").image_root
    shutil.copytree(root, tmp_path / "moved")
    record = json.loads((copied_data / "collection.json").read_text())
    (copied_data / "collection.json").write_text(json.dumps(record | {"image_root": "/gone"}))
    at = app("collections", part="change")
    assert "/gone: 0 of 61 looked for is there" in words(at)
    monkeypatch.setenv("RADCBIR_IMPORT_ROOT", str(tmp_path))
    box(at, "Folder on the server").set_value("/etc").run()
    button(at, "Look there").click().run()
    assert "Expected a path below" in complaints(at)
    box(at, "Folder on the server").set_value(str(tmp_path)).run()
    button(at, "Look there").click().run()
    assert "of 61 paths looked for none is in" in complaints(at)
    box(at, "Folder on the server").set_value(str(tmp_path / "moved")).run()
    button(at, "Look there").click().run()
    assert not complaints(at)
    assert "61 of 61 looked for are there" in words(at)
    assert open_collection("small").image_root == tmp_path / "moved"


def test_removing_asks_first(copied_data, app) -> None:
    second(copied_data)
    at = app("collections", collection="small", show="small", part="change")
    shown = words(at)
    assert "its table of 61 images, thumbnails, and all that was computed with pixels" in shown
    assert f"The source images in {open_collection('small').image_root} are not touched." in shown
    assert button(at, "Remove for good").disabled
    typed = "To remove it, type its name: small"
    box(at, typed).set_value("smal").run()
    assert button(at, "Remove for good").disabled
    box(at, typed).set_value("small").run()
    with open_collection("small").building("pixels"):
        button(at, "Remove for good").click().run()
        assert "is being built with pixels" in complaints(at)
    assert "small" in list_collections()
    root = open_collection("small").image_root
    button(at, "Remove for good").click().run()
    assert not complaints(at)
    assert list_collections() == ["other"]
    assert (root / "chest_00.png").is_file()
    assert [one.value for one in at.sidebar.selectbox if one.label == "Collection"] == ["other"]


def test_the_last_collection_is_removed_knowing_what_follows(copied_data, app) -> None:
    assert "It is the only one" in words(app("collections", part="change"))


def test_nothing_is_changed_while_work_goes_on(copied_data, app, monkeypatch) -> None:
    class Working:
        @staticmethod
        def status() -> jobs.Status:
            return jobs.Status(stage="embeddings")

    monkeypatch.setattr(jobs, "at_work_on", lambda name: Working() if name == "small" else None)
    monkeypatch.setattr(jobs, "at_work_at", lambda place: Working() if place == "collection/small" else None)
    at = app("collections", part="change")
    box(at, "Title").set_value("New").run()
    button(at, "Rename").click().run()
    assert "but work on small is going on" in complaints(at)
    at = app("collections", part="encoders")
    assert "Work on this collection is going on" in words(at)
    assert "Build" not in [one.label for one in at.button]


def test_exports_are_written_on_the_server(copied_data, app, tmp_path) -> None:
    at = app("collections", part="export")
    assert not complaints(at)
    at.button(key="radcbir:write-small.zip").click().run()
    (job,) = jobs.list_jobs()
    assert job.wait(30).state == "done", job.status().error
    at.run()
    assert not complaints(at)
    assert "small.zip" in words(at)
    written = tmp_path / "data" / "exports" / "small.zip"
    opened = open_archive(written, "again")
    assert opened.digest == open_collection("small").digest
    button(at, "Delete").click().run()
    assert not written.exists()
    assert "Written on the server" not in html(at)


def test_what_a_killed_server_left_half_written_is_removed(copied_data, app, tmp_path) -> None:
    folder = tmp_path / "data" / "exports"
    folder.mkdir()
    left, other = folder / ".partial-77-small.zip", folder / ".partial-78-other.zip"
    for path in (left, other):
        path.write_bytes(b"half")
    at = app("collections", part="export")
    assert "Written on the server" not in html(at)
    at.button(key="radcbir:write-small.zip").click().run()
    wait()
    assert not left.exists()
    assert sorted(path.name for path in folder.iterdir()) == [other.name, "small.zip"]


def test_an_export_that_fails_says_why(copied_data, app, tmp_path) -> None:
    record = json.loads((copied_data / "collection.json").read_text())
    (copied_data / "collection.json").write_text(json.dumps(record | {"image_root": "/gone"}))
    at = app("collections", part="export")
    at.checkbox[0].check().run()
    assert "Headers of DICOM files may name patients" in words(at)
    at.button(key="radcbir:write-small-with-images.zip").click().run()
    wait()
    at.run()
    assert "Write small-with-images.zip]: Expected all images of small below /gone" in complaints(at)
    assert not (tmp_path / "data" / "exports" / "small-with-images.zip").exists()
    button(at, "Dismiss").click().run()
    assert not complaints(at)
    assert not jobs.list_jobs()


def test_what_is_large_is_not_made_for_the_browser(copied_data, app, monkeypatch) -> None:
    def downloads() -> list[str]:
        at = app("collections", part="export")
        assert not complaints(at)
        return [one.proto.label for one in at.get("download_button") if one.proto.label.startswith("Download,")]

    assert len(downloads()) == 2
    monkeypatch.setattr(exports, "DOWNLOADED", 10)
    assert downloads() == []


def test_what_is_small_is_downloaded_as_it_would_be_written(copied_data, app, tmp_path) -> None:
    app("collections", part="export")
    export_manifest(open_collection("small"), tmp_path / "m.csv")
    made = exports._made(ExportFile("small", "manifest", ".csv"))
    assert made == (tmp_path / "m.csv").read_bytes()
    made = exports._made(ExportFile("small", "embeddings", ".npy", encoder_id="pixels"))
    assert made == (copied_data / "encoders" / "pixels" / "embeddings.npy").read_bytes()


def test_how_far_a_file_is_stands_in_one_line() -> None:
    status = jobs.Status(stage="archive", done=30, total=90, rate=3.0)
    assert stages.line(status, "s.zip") == "s.zip · 30 of 90 MB · 3.0 MB/s · 20 seconds left"
    assert stages.line(jobs.Status(stage="load"), "s") == "s"


def test_an_export_can_be_stopped_and_begins_anew(copied_data, app, monkeypatch, tmp_path) -> None:
    going, go_on = threading.Event(), threading.Event()

    def slowly(collection, path, *, progress, **_):
        progress("archive", 0, 90)
        going.set()
        assert go_on.wait(30)
        progress("archive", 1, 90)
        time.sleep(0.3)
        progress("archive", 2, 90)

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.jobs.kinds.export_file.write_archive", slowly)
        at = app("collections", part="export")
        at.button(key="radcbir:write-small.zip").click().run()
        assert going.wait(30)
        at.run()
        assert "small.zip · 0 of 90 MB" in at.get("progress")[0].proto.text.replace("\\", "")
        assert at.button(key="radcbir:write-small.zip").disabled
        button(at, "Stop").click().run()
        assert button(at, "Stopping…").disabled
        go_on.set()
        wait()
        at.run()
    assert "Write small.zip] was stopped. Nothing of it was kept." in words(at)
    button(at, "Go on").click().run()
    wait()
    at.run()
    assert not complaints(at)
    assert (tmp_path / "data" / "exports" / "small.zip").is_file()


def test_jobs_of_every_kind_are_listed_with_what_mends_them(copied_data, app, monkeypatch) -> None:
    def stale(*_) -> None:
        raise StaleError("Expected a graph, but it is older. Build small.", remedy=Remedy("build", "small"))

    going, go_on = threading.Event(), threading.Event()

    def rest(_, telling) -> None:
        telling("archive", 0, 90)
        going.set()
        assert go_on.wait(30)

    monkeypatch.setattr(EvaluateEncoder, "carry_out", stale)
    monkeypatch.setattr(ExportFile, "carry_out", rest)
    jobs.start(EvaluateEncoder("small", "pixels", evaluation_of("precision", protocol="leave-one-out"))).wait(30)
    jobs.start(ExportFile("small", "archive", ".zip"))
    try:
        assert going.wait(30)
        at = app("collections")
        assert "small** :gray[Evaluate pixels: Precision]: Expected a graph, but it is older." in complaints(at)
        assert "Build it on the Collections page" in [link.proto.label for link in at.get("page_link")]
        assert "small** :gray[Write small.zip]" in words(at)
        assert "small.zip · 0 of 90 MB" in at.get("progress")[0].proto.text.replace("\\", "")
        assert {"Stop", "Try again", "Dismiss"} <= {one.label for one in at.button}
    finally:
        go_on.set()
    wait()
    at.run()
    assert "Write small.zip" not in words(at), "what is done is seen in the list of files"


def test_a_collection_without_encoders_can_be_shown_too(copied_data, app) -> None:
    shutil.rmtree(copied_data / "encoders")
    for part, text in (("encoders", "None is built yet"), ("export", "No encoder is built yet"), ("overview", "")):
        at = app("collections", part=part)
        assert not complaints(at)
        assert text in words(at)
    assert "○ none" in html(at)


def test_without_a_collection_the_page_says_where_to_begin(empty_app) -> None:
    at = empty_app("collections")
    assert not complaints(at)
    assert "There is none yet. Import one above" in words(at)


def test_a_table_of_problems_is_read_again_when_it_has_changed(copied_data, app) -> None:
    assert "2 rows of 2" in words(app("collections", part="problems"))
    collection = open_collection("small")
    more = pd.DataFrame([["s", "1", "p", "i", "A reason."]], columns=["source", "line", "path", "image_id", "reason"])
    collection.add_problems(more)
    assert "3 rows of 3" in words(app("collections", part="problems"))
