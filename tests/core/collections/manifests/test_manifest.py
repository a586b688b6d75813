"""Labels, groups and filters of a manifest, against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.errors import CollectionError, ImageNotFoundError, QueryError

ROWS = [
    # image_id, modality, anatomy, pathologies, patient, study, split
    ("a", "XR", "chest", ["pneumonia"], "p1", "s1", "train"),
    ("b", "XR", "chest", ["normal"], "p1", "s2", "test"),
    ("c", "CT", "head", [], "", "", "train"),
    ("d", "XR", "chest", ["effusion", "mass"], "p2", "s3", ""),
    ("e", "", "hand", ["fracture"], "p2", "s3", ""),
    ("f", "MR", "", ["glioma"], "", "", "test"),
]


def manifest(rows=ROWS, *, duplicates=None, **further) -> Manifest:
    names = ("image_id", "modality", "anatomy", "pathologies", "patient_id", "study_id", "split")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    table = {name: [""] * len(rows) for name in COLUMNS} | columns | further
    table |= {"width": [8] * len(rows), "height": [8] * len(rows), "duplicate_group": duplicates or [-1] * len(rows)}
    table["pathologies"] = pa.array(columns["pathologies"], pa.list_(pa.string()))
    return Manifest(pa.table(table), digest="d")


def test_labels_at_each_level() -> None:
    m = manifest()
    assert m.labels("modality").text(range(6)) == ["XR", "XR", "CT", "XR", "", "MR"]
    assert m.labels("anatomy").text(range(6)) == ["chest", "chest", "head", "chest", "hand", ""]
    assert m.labels("label").text(range(6)) == ["XR/chest/pneumonia", "XR/chest/normal", "", "", "", ""]
    assert m.labels("label").codes.tolist() == [1, 0, -1, -1, -1, -1]
    assert m.labels("modality").counts() == {"XR": 3, "CT": 1, "MR": 1}


def test_groups() -> None:
    m = manifest(duplicates=[0, -1, 0, -1, -1, -1])
    assert m.groups("patient").tolist() == [0, 0, -1, 1, 1, -1]
    assert m.groups("study").tolist() == [0, 1, -1, 2, 2, -1]
    assert m.groups("duplicate").tolist() == [0, -1, 0, -1, -1, -1]
    assert m.groups("series").tolist() == [-1] * 6
    assert manifest(series_id=[*"xxyy", "", ""]).groups("series").tolist() == [0, 0, 1, 1, -1, -1]


@given(st.lists(st.text(max_size=3), max_size=20))
def test_codes_are_places_among_the_sorted_values(words) -> None:
    table = pa.table({name: pa.nulls(len(words), pa.string()) for name in COLUMNS} | {"view": words})
    codes = Manifest(table, digest="").codes("view")
    assert list(codes.values) == sorted({word for word in words if word})
    assert codes.text(np.arange(len(words))) == words


@pytest.mark.parametrize("first_rows", [1, 20_000])
def test_few_values_and_said_ones_are_those_of_all_rows(tmp_path, monkeypatch, first_rows) -> None:
    """The first rows settle it where they can; where they cannot, all do."""
    monkeypatch.setattr("radcbir_core.collections.manifests.manifest._FIRST_ROWS", first_rows)
    path = tmp_path / "manifest.parquet"
    manifest(site=list("abcdef"), late=["", "", "", "", "", "x"], never=[""] * 6).write(path)
    for name, values in (("site", 6), ("late", 1), ("never", 0), ("patient_id", 2)):
        assert Manifest.read(path).says(name) == (values > 0)
        assert Manifest.read(path).distinct(name)[0] == values
        for most in range(1, 7):
            assert (name in Manifest.read(path).filterable(most=most)) == (2 <= values <= most)


def test_counts_are_made_once_and_nobody_can_change_them() -> None:
    m = manifest()
    for name, expected in (("modality", {"XR": 3, "CT": 1, "MR": 1}), ("pathologies", m.pathology_counts)):
        counts = m.counts(name)
        assert counts == expected
        counts.clear()
        assert m.counts(name) == expected
    with pytest.raises(QueryError, match="column = 'modalty'"):
        m.counts("modalty")


def test_pathology_counts() -> None:
    assert manifest().pathology_counts == {
        "effusion": 1, "fracture": 1, "glioma": 1, "mass": 1, "normal": 1, "pneumonia": 1,
    }  # fmt: skip


@settings(deadline=None)
@given(
    modalities=st.lists(st.sampled_from(["XR", "CT", "MR", ""]), min_size=1, max_size=3),
    pathologies=st.lists(st.sampled_from(["normal", "mass", "effusion", "glioma", ""]), min_size=1, max_size=3),
    columns=st.sets(st.sampled_from(["modality", "pathologies"])),
)
def test_filters_agree_with_plain_python(modalities, pathologies, columns) -> None:
    where = {"modality": modalities, "pathologies": pathologies}
    where = {name: where[name] for name in columns}
    expected = [
        ("modality" not in where or row[1] in modalities)
        and ("pathologies" not in where or bool(set(row[3]) & set(pathologies)) or (not row[3] and "" in pathologies))
        for row in ROWS
    ]
    assert manifest().mask(where).tolist() == expected


@pytest.mark.parametrize("number", [1, 32, 33, 39])
def test_many_values_of_a_column_pass_as_few_do(number: int) -> None:
    random = np.random.default_rng(number)
    names = ["", *(f"hospital-{one:02}" for one in range(39))]
    of_row = random.choice(names, size=300).tolist()
    m = manifest([(str(row), "XR", "", [], "", "", "") for row in range(300)], dataset=of_row)
    wanted = random.choice(np.unique(of_row), size=number, replace=False).tolist()
    assert m.mask({"dataset": wanted}).tolist() == [name in wanted for name in of_row]


@pytest.mark.parametrize("wanted", [["mass"], [""], ["mass", ""], ["normal", "mass", "effusion"]])
@pytest.mark.parametrize("last", [["effusion"], [], ["effusion", "mass"]])
def test_lists_of_one_value_each_are_filtered_as_others_are(wanted, last) -> None:
    lists = [["mass"], ["normal"], ["mass"], ["effusion"], last]
    m = manifest([(str(row), "XR", "", labels, "", "", "") for row, labels in enumerate(lists)])
    expected = [bool(set(labels) & set(wanted)) or (not labels and "" in wanted) for labels in lists]
    assert m.mask({"pathologies": wanted}).tolist() == expected


def test_a_filter_is_kept_and_nobody_can_change_what_is_kept(monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.manifests.manifest._MOST_MASKS", 2)
    m = manifest()
    asked = [{"anatomy": ["chest", ""]}, {"pathologies": ["mass", ""]}, {"split": [""]}, {"modality": ["X-ray"]}]
    expected = [manifest().mask(where) for where in asked]
    for where in [*asked, *asked, asked[-1], asked[-1]]:
        mask = m.mask(where)
        assert np.array_equal(mask, expected[asked.index(where)])
        mask[:] = True
    assert len(m._masks) == 2
    assert np.array_equal(m.mask(asked[0] | asked[2]), expected[0] & expected[2])
    assert m.mask({}).all()


@settings(deadline=None)
@given(names=st.lists(st.sampled_from(["", "a", "b", "ä", "肺", "aa", "😀", "z"]), min_size=1, max_size=12))
@pytest.mark.parametrize("most", [1, 3, 256])
def test_rows_are_found_by_a_value_however_often_one_asks(names, most) -> None:
    rows = [(str(number), "XR", "chest", [], "", "", "") for number in range(len(names))]
    m = manifest(rows, sha256=names, site=names)
    patch = pytest.MonkeyPatch()
    patch.setattr("radcbir_core.collections.manifests.manifest._MOST_ASKED", most)
    for column in ("sha256", "site"):
        for _ in range(3):
            for name in ("", "a", "肺", "b", "none", "😀", "ä"):
                found = m.rows_with(column, name)
                assert found.tolist() == [row for row, other in enumerate(names) if other == name]
                found += 1  # nobody's but the caller's
    for _ in range(3):
        assert [m.row_of(str(number)) for number in range(len(names))] == list(range(len(names)))
        with pytest.raises(ImageNotFoundError):
            m.row_of("none")
    patch.undo()


def test_a_table_in_pieces_is_put_together() -> None:
    """Ten rows out of many pieces cost as much as all of them."""
    table = manifest().table
    pieces = Manifest(pa.concat_tables([table.slice(0, 2), table.slice(2)]), digest="d")
    assert pieces.table.column("image_id").num_chunks == 1
    assert pieces.rows([5, 1], ["image_id"])["image_id"].tolist() == ["f", "b"]


def test_a_modality_is_understood_in_other_spellings() -> None:
    assert manifest().mask({"modality": ["X-ray"]}).sum() == 3


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"modalty": ["CT"]}, r"Expected a column of the manifest, but column = 'modalty'. Did you mean modality\?"),
        (
            {"anatomy": ["Chest"]},
            r"Expected a value of the column anatomy, but anatomy = 'Chest'. Did you mean 'chest'",
        ),
        ({"pathologies": ["pneumona"]}, "Did you mean 'pneumonia'"),
        ({"split": ["zzz"]}, "It has 'test', 'train'"),
    ],
)
def test_filters_that_cannot_be(where, message) -> None:
    with pytest.raises(QueryError, match=message):
        manifest().mask(where)


def test_a_column_of_lists_is_none_of_texts() -> None:
    for ask in (manifest().column, manifest().codes):
        with pytest.raises(
            QueryError, match="Expected a column of one value a row, but column = 'pathologies' holds lists"
        ):
            ask("pathologies")


def test_lists_of_a_source_are_kept_and_are_neither_filters_nor_measures() -> None:
    table = manifest().table
    lists = pa.chunked_array([pa.array([["a", "b"], *[[]] * (table.num_rows - 1)], pa.list_(pa.string()))])
    m = Manifest(table.append_column("findings", lists), digest="x")
    assert "findings" not in m.filterable()
    assert "findings" not in m.numeric_columns(range(len(m)))
    with pytest.raises(QueryError, match="column = 'findings' holds lists"):
        m.codes("findings")


def test_rows_and_records() -> None:
    m = manifest()
    assert m.rows([3, 0])["image_id"].tolist() == ["d", "a"]
    assert m.rows([3], ["pathologies"])["pathologies"].tolist() == [["effusion", "mass"]]
    assert m.record(3)["pathologies"] == ["effusion", "mass"]
    assert m.row_of("c") == 2
    assert m.frame["pathologies"].tolist()[2] == []
    assert m.column("modality").tolist() == ["XR", "XR", "CT", "XR", "", "MR"]
    assert m.find("B").tolist() == [1]
    with pytest.raises(ImageNotFoundError, match="image_id = 'zz' is not in it"):
        m.row_of("zz")
    with pytest.raises(ImageNotFoundError, match="Expected a row from 0 to 5, but row = 6"):
        m.record(6)


def test_unknown_levels_and_groupings() -> None:
    with pytest.raises(QueryError, match="Expected a level of modality, anatomy, label, but level = 'organ'"):
        manifest().labels("organ")
    with pytest.raises(QueryError, match="Expected a grouping of duplicate, series, study, patient, dataset"):
        manifest().groups("hospital")


def test_filterable_columns_have_few_values_and_are_no_identifiers() -> None:
    assert manifest(site=list("xyxyxy"), constant=["c"] * 6).filterable() == [
        "split", "modality", "anatomy", "pathologies", "patient_id", "study_id", "site",
    ]  # fmt: skip
    assert "anatomy" not in manifest().filterable(most=2)


def test_written_and_read_back(tmp_path) -> None:
    m = manifest(site=["<b>", '"', ",", "肺", "", "x"])
    path = tmp_path / "manifest.parquet"
    m.write(path)
    again = Manifest.read(path)
    assert again.table.equals(m.table)
    assert np.array_equal(again.labels("label").codes, m.labels("label").codes)
    assert again.digest == Manifest.read(path).digest


def test_damaged_manifests(tmp_path) -> None:
    path = tmp_path / "manifest.parquet"
    manifest().write(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CollectionError, match=r"manifest\.parquet is missing or damaged"):
        Manifest.read(path)
    with pytest.raises(CollectionError, match=r"is missing\. Import the collection again"):
        Manifest(pa.table({"image_id": ["a"]}), digest="")


def test_columns_that_measure_something() -> None:
    sizes = pa.array([1.5, None, 30.0, 2.0, float("nan"), None], pa.float32())
    m = manifest(age=["41", "", "7", "x", "70", "7"], score=["1e3", "2", "", "", "3", "4"], size_mm=sizes)
    assert m.numeric_columns(range(6)) == ["score", "size_mm"]
    assert m.numeric_columns([0, 1, 2]) == ["age", "score", "size_mm"]
    assert m.numeric_columns([1]) == []
    assert m.numeric_columns([]) == []
    np.testing.assert_array_equal(m.numbers("age", [3, 0, 1]), [np.nan, 41, np.nan])
    np.testing.assert_array_equal(m.numbers("size_mm", [4, 2]), [np.nan, 30])
    with pytest.raises(QueryError, match="column = 'agee'"):
        m.numbers("agee", [0])


def test_many_rows_at_once() -> None:
    m = manifest()
    assert m.rows_of(["c", "x", "a", "c"]).tolist() == [2, -1, 0, 2]
    assert m.rows_of([]).tolist() == []
