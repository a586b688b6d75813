"""The paper's unified CSV: labels from one-hot columns, and the manifest's words for them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.importers.vectors import unified_csv
from radcbir_core.importers.vectors.unified_csv import header_of, is_unified, read_unified

FIVE = "filepath,dataset,split,modality,anatomic_region"


def written(folder: Path, text: str) -> Path:
    (folder / "u.csv").write_text(text, encoding="utf-8")
    return folder / "u.csv"


def findings(folder: Path, labels: str, *marks: str, modality="CT", anatomy="abd") -> list[list[str]]:
    lines = [f"{n}.png,d,test,{modality},{anatomy},{line}" for n, line in enumerate(marks)]
    table = read_unified(written(folder, "\n".join([f"{FIVE},{labels}", *lines, ""]))).table
    return [sorted(words) for words in table["pathologies"].to_pylist()]


def test_which_headers_are_meant_to_be_one() -> None:
    assert is_unified(["image", "anatomic_region"])
    assert not is_unified(["path", "modality", "anatomy"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_with_what_separates_its_cells(tmp_path, delimiter) -> None:
    path = written(tmp_path, "\ufeff" + delimiter.join(["filepath", '" a "', "b/c/d"]) + "\n")
    assert header_of(path) == (["filepath", "a", "b/c/d"], delimiter)


def test_headers_that_cannot_be_read(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"u\.csv is empty\. Check the file"):
        header_of(written(tmp_path, " \n"))
    with pytest.raises(ManifestError, match=r"gone\.csv: No such file or directory\. Check the file"):
        header_of(tmp_path / "gone.csv")
    (tmp_path / "u.csv").write_bytes("filepath,é\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"other bytes at position 9\. Save it as UTF-8 CSV"):
        header_of(tmp_path / "u.csv")


def test_marks_are_numbers_of_any_writing_and_empty_counts_zero(tmp_path) -> None:
    assert findings(tmp_path, "cyst,mass", "1,0", "1.0,", "0.0,1", "0,0") == [["cyst"], ["cyst"], ["mass"], []]


def test_the_manifests_words_for_a_label(tmp_path) -> None:
    labels = "CT/abd/No Finding,CT/abd/unknown,CT/abd/fat/fluid"
    assert findings(tmp_path, labels, "1,0,0", "0,1,0", "0,0,1") == [["normal"], [], ["fat/fluid"]]


def test_two_columns_never_become_one_label(tmp_path) -> None:
    assert findings(tmp_path, "CT/abd/No Finding,CT/abd/normal", "1,0", "0,1") == [
        ["CT/abd/No Finding"], ["CT/abd/normal"],
    ]  # fmt: skip
    assert findings(tmp_path, "CT/abd/cyst,MR/abd/cyst", "1,0") == [["cyst"]], "of two modalities, told apart by them"


def test_a_label_has_to_be_of_the_images_own_modality_and_anatomy(tmp_path) -> None:
    lines = ["1.png,d,test,ct, Abd ,1,0", "2.png,d,test,MR,abd,1,0", "3.png,d,test,CT,head,0,1"]
    rows = read_unified(written(tmp_path, "\n".join([f"{FIVE},CT/abd/cyst,mass", *lines])))
    assert rows.table["path"].to_pylist() == ["1.png", "3.png"], "case and blanks do not count; a bare label fits all"
    assert (rows.positions.tolist(), rows.lines.tolist(), rows.total) == ([0, 2], [2, 4], 3)
    assert rows.problems.to_dict("records") == [
        {
            "source": str(tmp_path / "u.csv"),
            "line": "3",
            "path": "2.png",
            "image_id": "2.png",
            "reason": "Expected labels of the image's own modality and anatomic_region, but CT/abd/cyst = 1 for "
            "MR/abd.",
        }
    ]


def test_columns_of_the_manifest_and_further_ones(tmp_path) -> None:
    header = f"{FIVE},image_id,patient_id,mass,site"
    lines = ["1.png,d,Training,X-ray,Hand,one,unknown,1,  A ", "2.png,d,dev,MRI,Hand,,p2,0,"]
    rows = read_unified(written(tmp_path, "\n".join([header, *lines])))
    wanted = ["image_id", "split", "modality", "anatomy", "patient_id", "site"]
    assert [list(row.values()) for row in rows.table.select(wanted).to_pylist()] == [
        ["one", "train", "XR", "Hand", "", "  A "],
        ["2.png", "val", "MR", "Hand", "p2", ""],
    ]
    assert rows.changes == Counter(
        {
            ("split", "Training", "train"): 1,
            ("split", "dev", "val"): 1,
            ("modality", "X-ray", "XR"): 1,
            ("modality", "MRI", "MR"): 1,
            ("patient_id", "unknown", ""): 1,
        }
    )


def test_what_was_changed_is_counted_by_marks(tmp_path) -> None:
    rows = read_unified(
        written(tmp_path, f"{FIVE},No Finding,mass\n1,d,test,CT,abd,1,\n2,d,test,CT,abd,1,1\n3,d,test,CT,abd,0,\n")
    )
    assert rows.changes == Counter({("pathologies", "No Finding", "normal"): 2, ("mass", "(empty)", "0"): 2})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filepath,dataset,split,mass\n", "lacks modality, anatomic_region. Give the unified CSV"),
        (f"{FIVE},a,a\n1,d,t,CT,x,1,1\n", "has the column 'a' twice"),
        (f"{FIVE},note\n1,d,t,CT,x,hello\n", "Expected one-hot label columns after anatomic_region"),
        (f"{FIVE},CT/x/a\n1,d,t,CT,x,2\n", "the column 'CT/x/a' of {path} has '2' in it. Correct it."),
        (f"{FIVE},CT/x/a,b\n1,d,t,CT,x,,1\n", "the column 'CT/x/a' of {path} is empty. Correct it."),
        (f"{FIVE},a\n1,d,t,CT,x,1,9\n", "with 6 cells a line and 0 or 1 for each label, but {path}:"),
    ],
)
def test_what_is_refused(tmp_path, text, message) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        read_unified(path)
    assert message.format(path=path) in str(caught.value)


def test_a_wrong_mark_is_found_in_any_block_with_its_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(unified_csv, "_BLOCK_BYTES", 4096)
    lines = [f"{n}.png,d,test,CT,abd,{int(n % 2)}" for n in range(1500)]
    path = written(tmp_path, "\n".join([f"{FIVE},cyst", *lines]))
    told: list[tuple[str, int, int]] = []
    rows = read_unified(path, progress=lambda *now: told.append(now))
    assert [len(words) for words in rows.table["pathologies"].to_pylist()] == [n % 2 for n in range(1500)]
    assert len(told) > 3
    assert told[-1] == ("table", 1500, 1500)
    assert all(done <= total for _, done, total in told)
    lines[1400] = "1400.png,d,test,CT,abd,0.5"
    written(tmp_path, "\n".join([f"{FIVE},cyst", *lines]))
    with pytest.raises(ManifestError, match=r"but cyst = 0\.5 in line 1402 of .*u\.csv\. Correct it"):
        read_unified(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=12).filter(
        lambda rows: any(map(any, rows))
    )
)
def test_marks_and_findings_are_the_same_thing(tmp_path, rows) -> None:
    names = ["b", "a", "d", "c"]
    marks = [",".join(str(int(mark)) for mark in row) for row in rows]
    expected = [sorted(name for name, mark in zip(names, row, strict=True) if mark) for row in rows]
    assert findings(tmp_path, ",".join(names), *marks) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("not-positive", [["cyst"], [], ["mass"]]),
        ("positive", [["cyst", "mass"], ["cyst"], ["cyst", "mass"]]),
        ("own-label", [["cyst", "uncertain mass"], ["uncertain cyst"], ["mass", "uncertain cyst"]]),
    ],
)
@pytest.mark.parametrize("names", ["cyst,mass", "CT/abd/cyst,CT/abd/mass"])
@pytest.mark.parametrize("written_as", ["-1", "-1.0", "U", "uncertain"])
def test_uncertain_labels_are_what_is_decided(tmp_path, policy, expected, names, written_as) -> None:
    u = written_as
    text = f"{FIVE},{names}\n" + "".join(
        f"{n}.png,d,test,CT,abd,{marks}\n" for n, marks in enumerate((f"1,{u}", f"{u},0", f"{u},1"))
    )
    read = read_unified(written(tmp_path, text), uncertain=policy)
    assert [sorted(words) for words in read.table["pathologies"].to_pylist()] == expected
    (note,) = read.notes
    assert f"(uncertain = {policy}); which they were stands in the source alone." in note


def test_identifiers_by_other_names_are_recognized_and_said(tmp_path) -> None:
    text = f"{FIVE},Patient ID,SeriesInstanceUID,cyst\n0.png,d,test,CT,abd,12.0,s,1\n1.png,d,test,CT,abd,12,s,0\n"
    read = read_unified(written(tmp_path, text))
    assert read.table["patient_id"].to_pylist() == ["12", "12"]
    assert read.table["series_id"].to_pylist() == ["s", "s"]
    assert read.table["Patient ID"].to_pylist() == ["12.0", "12"]
    assert read.notes == [
        "Taken from columns of u.csv with other names: patient_id from Patient ID, series_id from SeriesInstanceUID."
    ]
    assert read.changes == {}, "no patient stands in the record"
    assert read.spellings.notes("patient_id", {"12": "0.png"}) == [
        "patient_id: 1 row has a number written as 12.0 or 1.2E+01, which counts as 12; of these identifiers, 1 was "
        "written in several ways, which are one now."
    ]
    own = f"{FIVE},patient_id,Patient ID,cyst\n0.png,d,test,CT,abd,a,b,1\n"
    assert read_unified(written(tmp_path, own)).table["patient_id"].to_pylist() == ["a"]
