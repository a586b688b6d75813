"""One row's columns and words, and the account of what was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from radcbir_core.importers.rows.mapping import Mapper
from radcbir_core.importers.rows.normalizing import Changes, further_columns, normalize_row
from radcbir_core.importers.rows.sources import Source


def normalized(changes: Changes | None = None, **cells):
    return normalize_row({"path": " a/1.png ", **cells}, dataset="site", changes=changes or Changes())


def test_a_list_in_one_cell_is_a_list() -> None:
    for text in ("['Mass', 'Edema']", '["Mass", "Edema"]', "Mass|Edema"):
        row = normalize_row({"path": "a.png", "pathologies": text}, dataset="d", changes=Changes())
        assert row["pathologies"] == ["Mass", "Edema"]


def test_what_a_row_has_where_its_source_says_nothing() -> None:
    assert normalized() == {
        "image_id": "site/a/1.png",
        "path": "a/1.png",
        "dataset": "site",
        "split": "",
        "modality": "",
        "anatomy": "",
        "pathologies": [],
        "caption": "",
        "view": "",
        "patient_id": "",
        "study_id": "",
    }


def test_the_rows_own_data_set_names_its_image() -> None:
    row = normalized(dataset=" NIH  14 ")
    assert (row["dataset"], row["image_id"]) == ("NIH 14", "NIH 14/a/1.png")
    assert normalized(dataset="unknown")["dataset"] == "site"
    assert normalized(image_id=" 7 ")["image_id"] == "7"


def test_what_is_computed_is_not_taken_and_the_rest_is_kept_as_it_is() -> None:
    row = normalized(sha256="forged", width="9", height="9", duplicate_group="3", scanner="  GE ", series_id="n/a")
    assert not {"sha256", "width", "height", "duplicate_group"} & set(row)
    assert row["scanner"] == "  GE "
    assert row["series_id"] == ""


@pytest.mark.parametrize(
    ("cells", "pathologies"),
    [
        ({"pathology": "No Finding"}, ["normal"]),
        ({"pathology": "mass", "pathologies": "edema|cyst"}, ["mass"]),
        ({"pathology": "unknown", "pathologies": "edema"}, []),
        ({"pathology": "  ", "pathologies": "edema|cyst"}, ["edema", "cyst"]),
        ({"pathology": "Multiple", "labels_all": "edema|mass|edema"}, ["edema", "mass"]),
        ({"pathology": "multiple"}, []),
        ({"pathologies": "n/a", "labels_all": "cyst"}, ["cyst"]),
        ({"pathologies": ["cyst", "unknown", "No finding"]}, ["cyst", "normal"]),
        ({"pathologies": [], "labels_all": "cyst"}, ["cyst"]),
        ({"pathology": "['edema', 'cyst']"}, ["edema", "cyst"]),
        ({"pathology": '["edema"]'}, ["edema"]),
        ({"pathology": " ('edema', 'No finding') "}, ["edema", "normal"]),
        ({"pathology": "[]"}, []),
        ({"pathology": "['unknown']"}, []),
        ({"pathology": "(old) fracture (left)"}, ["(old) fracture (left)"]),
    ],
)
def test_one_finding_goes_before_a_list_unless_it_says_several(cells, pathologies) -> None:
    assert normalized(**cells)["pathologies"] == pathologies


def test_split_is_split_hint_only_where_there_is_no_column_split() -> None:
    assert normalized(split_hint="valid")["split"] == "val"
    assert normalized(split="", split_hint="valid")["split"] == ""


def test_each_change_is_counted_under_the_sources_own_column() -> None:
    changes = Changes()
    for word in ("X-ray", "X-ray", "XR", "MRI"):
        normalized(changes, modality=word)
    normalized(changes, split_hint="Training", pathology="multiple")
    assert changes.rows() == [
        {"column": "modality", "from": "X-ray", "to": "XR", "rows": 2},
        {"column": "modality", "from": "MRI", "to": "MR", "rows": 1},
        {"column": "split_hint", "from": "Training", "to": "train", "rows": 1},
        {"column": "pathology", "from": "multiple", "to": "", "rows": 1},
    ]


def test_a_change_is_noted_with_its_rows() -> None:
    changes = Changes()
    assert changes.note("anatomy", "Chest", "chest", rows=7) == "chest"
    assert changes.note("anatomy", "chest", "chest") == "chest"
    assert changes.rows() == [{"column": "anatomy", "from": "Chest", "to": "chest", "rows": 7}]


def test_further_columns_of_several_sources() -> None:
    sources = [
        Source(Path("a"), Path("a"), "a", [], columns=["path", "age", "modality"]),
        Source(Path("b"), Path("b"), "b", [], columns=["sex", "age", "split_hint"]),
    ]
    assert further_columns(sources) == ["age", "sex", "split_hint"]


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        (("x", "y", "width", "height"), {"x": "1", "y": "2", "box_width": "3", "box_height": "4"}),
        (("left", "top", "width", "height"), {"left": "1", "top": "2", "box_width": "3", "box_height": "4"}),
        (("width", "height"), {}),
        (("x", "width", "height"), {"x": "1"}),
    ],
)
def test_width_and_height_of_a_box_are_kept_beside_those_of_the_image(columns, kept) -> None:
    cells = {"path": "1.png"} | {name: str(number + 1) for number, name in enumerate(columns)}
    row = normalize_row(cells, dataset="d", changes=Changes())
    assert {name: text for name, text in row.items() if name in {*columns, "box_width", "box_height"}} == kept
    source = Source(Path("t.csv"), Path("/"), "d", [], columns=["path", *columns])
    assert further_columns([source]) == list(kept)
    mapper = Mapper({"path": "File"}, columns=["File", *(name.title() for name in columns)], origin=Path("t.csv"))
    mapped = mapper.row({"File": "1.png"} | {name.title(): cells[name] for name in columns})
    again = normalize_row(mapped, dataset="d", changes=Changes())
    assert {name: again[name] for name in kept} == kept
    assert not {"width", "height"} & (set(again) | set(mapper.columns))


def test_a_table_that_has_both_already_is_not_renamed_again() -> None:
    cells = {"path": "1.png", "x": "1", "y": "2", "width": "640", "height": "480", "box_width": "3", "box_height": "4"}
    row = normalize_row(cells, dataset="d", changes=Changes())
    assert (row["box_width"], row["box_height"]) == ("3", "4")
    assert "width" not in row
