"""The import wizard: from a source to a dry run to work that goes on by itself."""

from __future__ import annotations

import io
import os
import signal
import zipfile

import pytest

from pages.parts.collections.wizard import columns as wizard_columns
from pages.parts.collections.wizard import server_folders
from pages.parts.frame import loaders, rights
from pages.parts.frame.server_paths import IMPORT_ROOT
from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.encoders.usable import Usable
from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.jobs import list_jobs, start
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.jobs.liveness import number_of
from tests import quick_jobs
from tests.pages.conftest import run_page
from tests.pages.reading import cards, complaints, html, words
from tests.quick_jobs import ended, wait_for
from tests.small_images import draw, write_small_images


@pytest.fixture(autouse=True)
def controls(copied_data, tmp_path, monkeypatch):
    """The file that makes the encoder rest while it is there; the data folder has the collection ``small``."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(IMPORT_ROOT, str(tmp_path))
    # Looking for real ones imports open_clip, which takes seconds.
    here = [Usable("pixels", "Pixels", False, "The baseline."), Usable("radcbir-mini", "Mini", True, "A small one.")]
    monkeypatch.setattr("pages.parts.frame.loaders.find_usable_encoders", lambda _: here)
    loaders.usable_encoders.clear()
    yield quick_jobs.prepare(monkeypatch, tmp_path / "quick")
    quick_jobs.end()


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "scans of today"
    folder.mkdir()
    write_small_images(folder)
    return folder


def button(at, label):
    return next(found for found in at.button if found.label == label)


def bar_text(at) -> str:
    return at.get("progress")[0].proto.text.replace("\\", "")


def labels(at) -> list[str]:
    return [found.label for found in at.button]


def opened():
    at = run_page("collections")
    button(at, "Import a collection").click()
    return at.run()


def at_source(path):
    """The wizard after its first step."""
    at = opened()
    at.text_input(key="radcbir:wizard:source path").set_value(str(path)).run()
    button(at, "Next").click()
    return at.run()


def at_dry_run(path):
    at = at_source(path)
    assert not complaints(at)
    button(at, "Look at it").click()
    return at.run()


def at_start(path):
    at = at_dry_run(path)
    assert not complaints(at)
    button(at, "Next").click()
    return at.run()


def test_every_format_has_words():
    from pages.parts.collections.wizard.source_format import ABOUT
    from radcbir_core.importers.formats import FORMATS

    assert set(ABOUT) == {known.name for known in FORMATS}


def test_from_a_folder_to_a_collection(source):
    at = opened()
    assert not complaints(at)
    assert '<li class="now"><b>1</b> Source' in html(at)
    at = at_source(source)
    assert "Recognized as **Tables with a column path, or images without labels**, by its manifest.csv." in words(at)
    button(at, "Look at it").click()
    at.run()
    assert not complaints(at)
    assert "63 rows · 2 of 63 files looked at cannot be used · 25 patients" in words(at)
    assert "Counted over all rows; the files of 63 were looked at." in words(at)
    assert "2 × " not in words(at)
    assert "Expected an image file, but there is none at this path" in words(at)
    first = at.dataframe[0].value
    assert first["path"].tolist()[:2] == ["chest_00.png", "chest_01.png"]
    assert first["picture"][0].startswith("data:image/jpeg;base64,")
    assert "patient_id" not in first
    assert not list_jobs()
    button(at, "Next").click()
    at.run()
    assert at.text_input(key="radcbir:wizard:name").value == "scans-of-today"
    at.multiselect(key="radcbir:wizard:encoders").set_value(["pixels"]).run()
    at.text_input(key="radcbir:wizard:title").set_value("Scans <of> today").run()
    button(at, "Start").click()
    at.run()
    assert not complaints(at)
    (work,) = list_jobs()
    assert ended(work).status().state == "done"
    assert open_collection("scans-of-today").title == "Scans <of> today"
    at = run_page("collections")
    assert not complaints(at)
    assert "**scans-of-today** is ready: 61 images, built with pixels, 2 problems" in at.success[0].value.replace(
        "\\", ""
    )
    assert "Import a collection" in labels(at)
    button(at, "Dismiss").click()
    at.run()
    assert not list_jobs()
    assert not at.success


def test_with_no_collection_it_is_open(empty_app):
    at = empty_app("collections")
    assert not complaints(at)
    assert '<li class="now"><b>1</b> Source' in html(at)
    assert "Next" in labels(at)


def test_it_shows_how_far_it_is_and_a_reload_shows_the_same(source, controls):
    controls.deaf.touch()
    imports = ImportRequest([source], "mine")
    work = start(ImportAndBuild("mine", imports, encoders=("pixels", "radcbir-mini")))
    wait_for(lambda: work.status().part == "pixels" and work.status().stage == "embeddings")
    for _ in range(2):
        at = run_page("collections")
        assert not complaints(at)
        assert "pixels: compute embeddings and thumbnails · 0 of 61 images" in bar_text(at)
        assert '<li class="done"><b>✓</b> Import and check the images' in html(at)
        assert '<li class="now"><b>●</b> pixels: compute embeddings and thumbnails' in html(at)
        assert '<li class="later"><b>○</b> Build with radcbir-mini' in html(at)
        assert "It goes on when this page is closed." in words(at)
    button(at, "Stop").click()
    at.run()
    assert button(at, "Stopping…").disabled
    button(at, "End at once").click()
    at.run()
    wait_for(lambda: not work.is_alive())
    at.run()
    said = "**mine** :gray[Import and build with pixels, radcbir-mini] was stopped. Its 61 images are imported"
    assert f"{said}; the rest can go on where it stopped." in words(at)
    controls.go_on()
    assert button(at, "Go on")


def test_interrupted_work_says_so_and_goes_on(source, controls):
    controls.deaf.touch()
    work = start(ImportAndBuild("mine", ImportRequest([source], "mine"), encoders=("pixels",)))
    wait_for(lambda: work.status().stage == "embeddings")
    os.kill(number_of(work.folder), signal.SIGKILL)
    wait_for(lambda: not work.is_alive())
    at = run_page("collections")
    assert (
        "**mine** :gray[Import and build with pixels] was interrupted: its process has ended without a word."
        in complaints(at)
    )
    controls.go_on()
    button(at, "Go on").click()
    at.run()
    assert ended(work).status().state == "done"


def test_what_went_wrong_is_said_with_a_way_on(source, tmp_path):
    work = ended(start(ImportAndBuild("mine", ImportRequest([tmp_path / "gone"], "mine"))))
    at = run_page("collections")
    assert "**mine** :gray[Import]: Expected a table or a folder to import, but" in complaints(at)
    assert "Try again" in labels(at)
    assert "Error: Expected a table" in words(at)
    (tmp_path / "gone").symlink_to(source, target_is_directory=True)
    button(at, "Try again").click()
    at.run()
    assert ended(work).status().state == "done"


def test_names_that_are_taken_or_no_names_are_refused(source):
    at = at_start(source)
    for name, message in (("small", "'small' exists already"), ("a/b", "letters, digits")):
        at.text_input(key="radcbir:wizard:name").set_value(name).run()
        button(at, "Start").click()
        at.run()
        assert message in complaints(at)
    at.text_input(key="radcbir:wizard:other encoder").set_value("biomedklip").run()
    assert "Did you mean biomedclip" in complaints(at)
    assert not list_jobs()


def test_two_starts_of_one_name_begin_one(source, controls):
    controls.deaf.touch()
    at = at_start(source)
    start(ImportAndBuild("scans-of-today", ImportRequest([source], "scans-of-today"), encoders=("pixels",)))
    button(at, "Start").click()
    at.run()
    assert "Expected one job at a time on scans-of-today" in complaints(at) or "exists" in complaints(at)
    assert len(list_jobs()) == 1


def test_paths_that_are_not_allowed_or_not_there(source, tmp_path, monkeypatch):
    monkeypatch.setenv(IMPORT_ROOT, str(source))
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "link").symlink_to(outside, target_is_directory=True)
    for path in (outside, tmp_path / "none", "/etc/passwd", source / "link", f"{source}/../outside"):
        at = at_source(path)
        assert "Expected a path below" in complaints(at), path
        assert '<li class="now"><b>1</b> Source' in html(at)
    at = at_source(source / "none")
    assert "does not exist. Check the path." in complaints(at)
    at = at_source("   ")
    assert "it is empty" in complaints(at)


def test_a_server_that_others_reach_offers_uploads_alone(monkeypatch):
    monkeypatch.delenv(IMPORT_ROOT)
    assert str(server_folders.root()) == "/"
    monkeypatch.setattr(rights, "is_open_to_others", lambda: True)
    assert server_folders.root() is None
    with pytest.raises(ManifestError, match="this server is open to others"):
        server_folders.allowed("/etc")
    monkeypatch.setenv(IMPORT_ROOT, "/no/such/folder")
    with pytest.raises(ManifestError, match="Expected a folder, but RADCBIR_IMPORT_ROOT"):
        server_folders.root()


def test_folders_are_found_by_clicking(tmp_path, source):
    (tmp_path / "more" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "secret file.txt").touch()
    at = opened()
    pills = next(group for group in at.pills if "more" in group.options)
    assert ".hidden" not in pills.options
    assert not any("secret" in option for option in pills.options)
    pills.set_value("more").run()
    assert at.text_input(key="radcbir:wizard:source path").value == str(tmp_path / "more")
    assert any("deep" in group.options for group in at.pills)
    button(at, "Up").click()
    at.run()
    assert at.text_input(key="radcbir:wizard:source path").value == str(tmp_path)
    assert button(at, "Up").disabled, "not above the folder that may be imported from"


def test_columns_of_a_table_are_chosen_in_boxes(tmp_path, source):
    rows = "\n".join(f"chest_{n:02d}.png,{n % 2},0,X-ray,p{n}" for n in range(10))
    table = source / "labels.csv"
    table.write_text(f"Image Index,Mass,Edema,Modality,Patient ID\n{rows}\n")
    at = at_source(table)
    assert not complaints(at)
    assert at.selectbox(key="radcbir:wizard:map path").value == "Image Index"
    assert at.selectbox(key="radcbir:wizard:map modality").value == "Modality"
    assert at.selectbox(key="radcbir:wizard:map patient_id").value == "Patient ID"
    at.multiselect(key="radcbir:wizard:map pathologies").set_value(["Mass", "Edema"]).run()
    at.text_input(key="radcbir:wizard:anatomy").set_value("chest").run()
    button(at, "Look at it").click()
    at.run()
    assert not complaints(at)
    assert "10 rows · no problem · 10 patients" in words(at)
    assert "Mass</td>" in html(at)
    button(at, "Back").click()
    at.run()
    assert at.multiselect(key="radcbir:wizard:map pathologies").value == ["Mass", "Edema"]
    assert at.text_input(key="radcbir:wizard:anatomy").value == "chest"


def looked_at(at):
    """The wizard after its dry run."""
    button(at, "Look at it").click()
    at.run()
    assert not complaints(at)
    return at


def test_uncertain_findings_are_decided_in_a_box(tmp_path, source):
    table = source / "labels.csv"
    table.write_text("file,Mass\nchest_00.png,1\nchest_01.png,-1\nchest_02.png,0\n")
    for choice, counts in (
        ("", {"Mass": 1}),
        ("positive", {"Mass": 2}),
        ("own-label", {"Mass": 1, "uncertain Mass": 1}),
    ):
        at = at_source(table)
        at.multiselect(key="radcbir:wizard:map pathologies").set_value(["Mass"]).run()
        at.selectbox(key="radcbir:wizard:uncertain").set_value(choice).run()
        looked = looked_at(at)
        assert dict(looked.session_state["radcbir:wizard"].looked[1].counts["pathology"]) == counts


def test_several_rows_of_an_image_are_said_and_united(source):
    table = source / "labels.csv"
    table.write_text("path,pathology,reader\nchest_00.png,Mass,a\nchest_00.png,Edema,b\nchest_01.png,normal,a\n")
    at = looked_at(at_source(table))
    assert "Images with several rows: 1, in 2 rows." in words(at)
    assert "3 rows · no problem" in words(at)
    for finding in ("Mass</td>", "Edema</td>"):
        assert finding in html(at)


def test_masks_and_patterns_are_left_out_unless_they_are_asked_for(tmp_path):
    folder = tmp_path / "breast"
    folder.mkdir()
    for name in ("a", "a_mask", "b", "b_old"):
        draw(1, len(name)).save(folder / f"{name}.png")
    at = looked_at(at_source(folder))
    assert "3 rows · no problem" in words(at)
    assert "mask" in words(at)
    button(at, "Back").click()
    at.run()
    at.toggle(key="radcbir:wizard:masks").set_value(True).run()
    at.text_input(key="radcbir:wizard:leave_out").set_value("*_old.png, nothing").run()
    looked_at(at)
    assert "3 rows · no problem" in words(at)
    assert "Left out by *_old.png and nothing: 1 file" in words(at)
    button(at, "Back").click()
    at.run()
    assert at.toggle(key="radcbir:wizard:masks").value
    assert at.text_input(key="radcbir:wizard:leave_out").value == "*_old.png, nothing"


def test_a_suffix_that_names_lack_is_given_in_a_box(tmp_path):
    for suffix in (".png", ".jpg"):
        draw(1, len(suffix)).save(tmp_path / f"scan{suffix}")
    (tmp_path / "manifest.csv").write_text("path\nscan\n")
    at = at_source(tmp_path / "manifest.csv")
    button(at, "Look at it").click()
    at.run()
    assert "scan" in complaints(at), "which of the two is not known"
    button(at, "Back").click()
    at.run()
    at.text_input(key="radcbir:wizard:suffix").set_value(".jpg").run()
    looked_at(at)
    assert "1 row · no problem" in words(at)


def test_a_table_without_a_header_is_said_and_read_by_number(tmp_path, source):
    table = source / "bare.csv"
    table.write_text("chest_00.png,Mass\nchest_01.png,normal\n")
    at = at_source(table)
    assert "is data like the lines below it" in complaints(at)
    assert button(at, "Look at it").disabled
    at.toggle(key="radcbir:wizard:no_header").set_value(True).run()
    assert not complaints(at)
    at.selectbox(key="radcbir:wizard:map path").set_value("1").run()
    at.multiselect(key="radcbir:wizard:map pathologies").set_value(["2"]).run()
    looked_at(at)
    assert "2 rows · no problem" in words(at)
    assert "Mass</td>" in html(at)


def test_a_column_with_a_comma_in_its_name_can_be_chosen(source):
    table = source / "labels.csv"
    table.write_text('file,"Mass, left",Edema\nchest_00.png,1,0\nchest_01.png,0,1\n')
    at = at_source(table)
    at.multiselect(key="radcbir:wizard:map pathologies").set_value(["Mass, left", "Edema"]).run()
    looked_at(at)
    assert "Mass, left</td>" in html(at)


def test_a_format_that_does_not_fit_is_said_and_another_can_be_chosen(source):
    at = at_source(source)
    at.selectbox(key="radcbir:wizard:format").set_value("nih14").run()
    button(at, "Look at it").click()
    at.run()
    assert "Data_Entry_2017_v2020.csv" in complaints(at)
    button(at, "Back").click()
    at.run()
    at.selectbox(key="radcbir:wizard:format").set_value("manifest").run()
    button(at, "Look at it").click()
    at.run()
    assert not complaints(at)


def test_nothing_usable_ends_the_way(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.csv").write_text("path\nnone.png\n")
    at = at_dry_run(tmp_path / "bad")
    assert "Expected at least one usable image" in complaints(at)
    assert button(at, "Next").disabled


def test_an_upload_is_unpacked_and_imported(source, tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"site/{path.name}")
    at = opened()
    at.segmented_control[0].set_value("Upload a table or a ZIP").run()
    assert "At most 50 MB a file" in words(at)
    at.file_uploader[0].set_value([("site.zip", content.getvalue(), "application/zip")]).run()
    button(at, "Next").click()
    at.run()
    assert not complaints(at)
    button(at, "Look at it").click()
    at.run()
    assert "From the upload site.zip (63 files)" in words(at)
    assert "63 rows" in words(at)
    button(at, "Next").click()
    at.run()
    at.multiselect(key="radcbir:wizard:encoders").set_value([]).run()
    assert "Without an encoder, the collection is imported only" in words(at)
    button(at, "Start").click()
    at.run()
    ended(list_jobs()[0])
    assert "site" in list_collections()


def test_an_archive_of_a_collection_is_opened(tmp_path):
    write_archive(open_collection("small"), tmp_path / "small.zip", images=True)
    at = at_source(tmp_path / "small.zip")
    assert not complaints(at)
    assert "Recognized as **an archive of a collection**" in words(at)
    assert at.text_input(key="radcbir:wizard:name").value == "small-2"
    assert at.multiselect(key="radcbir:wizard:encoders").value == []
    button(at, "Start").click()
    at.run()
    assert not complaints(at)
    assert ended(list_jobs()[0]).status().state == "done"
    assert open_collection("small-2").encoder_ids() == ["pixels"]
    at = run_page("collections")
    assert "**small-2** is ready: 61 images" in at.success[0].value.replace("\\", "")


def test_what_is_new_can_be_added_to_a_collection_that_is_there(source):
    import_as(ImportRequest([source], "mine"))
    draw(0, 99).save(source / "new.png")
    with (source / "manifest.csv").open("a") as table:
        table.write("new.png,CT,chest,normal,p,train,\n")
    at = at_start(source)
    at.text_input(key="radcbir:wizard:name").set_value("mine").run()
    at.toggle(key="radcbir:wizard:add").set_value(True).run()
    at.multiselect(key="radcbir:wizard:encoders").set_value([]).run()
    button(at, "Start").click()
    at.run()
    assert not complaints(at)
    assert ended(list_jobs()[0]).status().state == "done"
    assert len(open_collection("mine")) == 62


@pytest.mark.parametrize(
    ("name", "message"), [("../evil.png", "names that stay inside the archive's folder"), (None, "damaged, cut off")]
)
def test_a_dangerous_or_damaged_upload_is_refused(name, message):
    content = io.BytesIO()
    if name:
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(name, b"evil")
    at = opened()
    at.segmented_control[0].set_value("Upload a table or a ZIP").run()
    at.file_uploader[0].set_value([("site.zip", content.getvalue() or b"x", "application/zip")]).run()
    button(at, "Next").click()
    at.run()
    assert message in complaints(at)


def test_closing_it_forgets_what_was_said(source):
    at = at_dry_run(source)
    button(at, "Close").click()
    at.run()
    assert "Import a collection" in labels(at)
    button(at, "Import a collection").click()
    at.run()
    assert '<li class="now"><b>1</b> Source' in html(at)


def test_guesses_at_columns():
    columns = ["id", "Image Index", "Finding Labels", "Patient ID", "View Position"]
    assert wizard_columns.guess("path", columns) == "Image Index"
    assert wizard_columns.guess("pathologies", columns) == "Finding Labels"
    assert wizard_columns.guess("patient_id", columns) == "Patient ID"
    assert wizard_columns.guess("view", columns) == ""


def test_other_pages_wait_for_work_and_open_by_themselves(source, controls):
    controls.deaf.touch()
    work = start(ImportAndBuild("mine", ImportRequest([source], "mine"), encoders=("pixels",)))
    wait_for(lambda: work.status().stage == "embeddings")
    at = run_page("retrieval", collection="mine")
    assert not complaints(at)
    assert "**mine** is being built. This page opens by itself" in words(at)
    assert "python -m radcbir_core build" not in words(at)
    assert "python -m radcbir_core build" not in words(run_page(collection="mine"))
    controls.go_on()
    ended(work)
    at.run()
    assert not complaints(at)
    assert cards(at)
