"""Which rows of which sources are taken, and what the whole table then shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.images import Limits
from radcbir_core.importers.rows import accepting
from radcbir_core.importers.rows.accepting import AcceptedRows, duplicate_groups
from radcbir_core.importers.rows.checking import Checker
from radcbir_core.importers.rows.sources import Row, Source
from radcbir_core.progress import Progress, silent


@pytest.fixture
def folder(tmp_path, picture) -> Path:
    """Five pictures; ``copy.png`` has the bytes of ``0.png``."""
    for seed in range(4):
        picture(tmp_path / f"{seed}.png", seed=seed)
    picture(tmp_path / "copy.png", seed=0)
    return tmp_path


def source(folder: Path, *rows: Row | dict[str, str], dataset: str = "site", **facts) -> Source:
    listed = [
        row if isinstance(row, Row) else Row(line, row) for line, row in enumerate(rows, start=2)
    ]  # fmt: skip
    columns = list(dict.fromkeys(name for row in listed for name in row.cells))
    return Source(folder / "t.csv", folder, dataset, listed, columns=columns, expected=len(listed), **facts)


def accepted(*sources: Source, check="bytes", progress: Progress = silent) -> AcceptedRows:
    rows = AcceptedRows(sources)
    with Checker(check, Limits()) as checker:
        rows.accept_all(checker, progress)
    return rows


def test_rows_keep_their_order_and_refused_ones_say_why(folder) -> None:
    one = source(
        folder,
        {"path": "1.png"},
        {"path": "gone.png"},
        Row(4, {"path": "2.png"}, "No, said the source."),
        {"path": "0.png"},
        {"path": "3.png", "image_id": "site/1.png"},
    )
    told: list[tuple[str, int, int]] = []
    rows = accepted(one, progress=lambda *now: told.append(now))
    assert rows.manifest()[0].column("path").tolist() == ["1.png", "0.png"]
    assert [(problem["line"], problem["path"]) for problem in rows.problems] == [
        (4, "2.png"), (3, "gone.png"), (6, "3.png"),
    ]  # fmt: skip
    assert rows.problems[0]["reason"] == "No, said the source."
    assert rows.problems[2]["reason"] == (
        "Expected image_ids that differ, but image_id = 'site/1.png' stands on an earlier line too, for another file."
    )
    assert (one.seen, one.images) == (5, 2)
    assert told[-1] == ("import", 5, 5)


def test_an_image_id_of_two_sources_gets_its_data_set_in_both(folder) -> None:
    a = source(folder, {"path": "0.png", "image_id": "x"}, {"path": "1.png", "image_id": "y"}, dataset="a")
    b = source(folder, {"path": "2.png", "image_id": "x"}, dataset="b")
    assert accepted(a, b).manifest()[0].column("image_id").tolist() == ["a/x", "y", "b/x"]


def test_an_image_id_of_two_sources_of_one_data_set_is_kept_once(folder) -> None:
    a, b = (source(folder, {"path": f"{n}.png", "image_id": "x"}, licence="CC0") for n in range(2))
    rows = accepted(a, b)
    assert rows.manifest()[0].column("path").tolist() == ["0.png"]
    assert rows.problems[0]["reason"] == (
        "Expected image_ids that differ, but another source of the same data set has this one too."
    )
    assert (a.images, b.images) == (1, 0)
    assert rows.licences() == {"CC0": 1}


def test_origins_tell_what_the_tables_did_not_say(folder) -> None:
    a = source(folder, {"path": "0.png", "dataset": "NIH"}, {"path": "1.png"}, dataset="a")
    b = source(folder, {"path": "gone.png"}, {"path": "2.png", "image_id": "b/x"}, dataset="b")
    manifest, origins = accepted(a, b).manifest()
    assert manifest.column("image_id").tolist() == ["NIH/0.png", "a/1.png", "b/x"]
    assert origins.names == ("a", "b")
    assert origins.sources.tolist() == [0, 0, 1]
    assert origins.without_id.tolist() == [True, True, False]
    assert origins.without_dataset.tolist() == [False, True, True]
    of_folder = [origins.is_made_of_folder(row, name) for row, name in enumerate(["NIH/0.png", "a/1.png", "b/x"])]
    assert of_folder == [True, True, True]
    assert not origins.is_made_of_folder(2, "x")


def test_words_that_differ_in_case_only_become_the_most_frequent_one(folder) -> None:
    rows = accepted(
        source(
            folder,
            {"path": "0.png", "anatomy": "Chest", "pathologies": "Mass|mass"},
            {"path": "1.png", "anatomy": "chest", "pathologies": "mass"},
            {"path": "2.png", "anatomy": "chest", "pathologies": ""},
        )
    )
    manifest = rows.manifest()[0]
    assert manifest.column("anatomy").tolist() == ["chest"] * 3
    assert [list(words) for words in manifest.frame["pathologies"]] == [["mass"], ["mass"], []]
    assert {(c["column"], c["from"], c["to"], c["rows"]) for c in rows.changes.rows()} == {
        ("anatomy", "Chest", "chest", 1),
        ("pathologies", "Mass", "mass", 1),
    }


def test_copies_under_two_labels_go_where_a_data_set_gives_one_label_a_file(folder) -> None:
    lines = ({"path": "0.png", "pathology": "cyst"}, {"path": "copy.png", "pathology": "mass"}, {"path": "1.png"})
    kept = accepted(source(folder, *lines)).manifest()[0]
    assert kept.table.column("duplicate_group").to_pylist() == [0, 0, -1]
    strict = accepted(source(folder, *lines, one_label_a_file=True))
    manifest = strict.manifest()[0]
    assert manifest.column("path").tolist() == ["1.png"]
    assert manifest.table.column("duplicate_group").to_pylist() == [-1]
    assert [problem["path"] for problem in strict.problems] == ["0.png", "copy.png"]
    assert "files with exactly these are labeled //cyst, //mass. Left out" in strict.problems[0]["reason"]


def test_copies_of_another_data_set_do_not_make_a_strict_one_contradict_itself(folder) -> None:
    strict = source(folder, {"path": "0.png", "pathology": "cyst"}, dataset="strict", one_label_a_file=True)
    other = source(folder, {"path": "copy.png", "pathology": "mass"}, dataset="other")
    assert accepted(strict, other).manifest()[0].column("path").tolist() == ["0.png", "copy.png"]


def test_licences_are_counted_by_row_then_by_source(folder) -> None:
    rows = accepted(
        source(folder, {"path": "0.png", "licence": "CC BY"}, {"path": "1.png", "licence": ""}, licence="CC0"),
        source(folder, {"path": "2.png", "license": "CC BY"}, dataset="b"),
        source(folder, {"path": "3.png"}, dataset="c"),
    )
    assert rows.licences() == {"CC BY": 2, "CC0": 1}


def test_paths_start_from_what_all_roots_share(folder, picture) -> None:
    picture(folder / "deep" / "er" / "4.png", seed=4)
    rows = accepted(source(folder / "deep" / "er", {"path": "4.png"}, dataset="b"), source(folder, {"path": "0.png"}))
    assert rows.root == folder
    assert rows.manifest()[0].column("path").tolist() == ["deep/er/4.png", "0.png"]


def test_more_rows_than_fit_into_a_chunk(folder, monkeypatch) -> None:
    monkeypatch.setattr(accepting, "_CHUNK_ROWS", 2)
    monkeypatch.setattr(accepting, "_BATCH_ROWS", 3)
    rows = accepted(source(folder, *({"path": f"{n % 4}.png", "image_id": str(n)} for n in range(7))), check="exists")
    assert rows.manifest()[0].column("image_id").tolist() == list("0123456")


def test_a_frame_is_its_own_image_of_the_same_file(folder) -> None:
    rows = accepted(
        source(folder, *(Row(n, {"path": "0.png", "image_id": str(n)}, frame=n) for n in range(2)))
    )  # fmt: skip
    assert len(set(rows.manifest()[0].column("sha256").tolist())) == 2


def test_nothing_usable_names_the_most_frequent_reason_and_its_first_line(folder) -> None:
    with pytest.raises(ManifestError) as caught:
        accepted(source(folder, {"path": ""}, {"path": "gone.png"}, {"path": "lost.png"}))
    assert str(caught.value) == (
        "Expected at least one usable image, but 3 rows of 1 source cannot be used; the most frequent reason (2): "
        "Expected an image file, but there is none at this path. "
        f"First at {folder / 't.csv'} line 3 (gone.png). Check that the data set is there whole, below {folder}."
    )
    with pytest.raises(ManifestError, match=r"but there is no row in .*t\.csv\. Check the files"):
        accepted(source(folder))
    contradicting = source(
        folder, {"path": "0.png", "pathology": "a"}, {"path": "copy.png", "pathology": "b"}, one_label_a_file=True
    )
    rows = accepted(contradicting)
    with pytest.raises(ManifestError, match="but 2 rows of 1 source"):
        rows.manifest()[0]


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"])))
def test_duplicate_groups_are_numbered_as_they_are_met(digests) -> None:
    repeated = [digest for digest in dict.fromkeys(digests) if digest and digests.count(digest) > 1]
    expected = [repeated.index(digest) if digest in repeated else -1 for digest in digests]
    chunks = [digests[:3], digests[3:]]
    groups = duplicate_groups(pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks]))
    assert groups.tolist() == expected
    assert groups.dtype == np.int32


def test_of_rows_that_cannot_be_used_there_are_at_most_so_many(folder, monkeypatch) -> None:
    monkeypatch.setattr(accepting, "MOST_PROBLEMS", 100)
    gone = [{"path": f"gone-{number}.png"} for number in range(100)]
    assert len(accepted(source(folder, {"path": "0.png"}, *gone)).problems) == 100
    read = []

    def endless():
        for number in range(1_000_000):
            read.append(number)
            yield Row(number + 2, {"path": f"gone-{number}.png"})

    rows = Source(folder / "t.csv", folder, "site", endless(), columns=["path"], expected=1_000_000)
    with pytest.raises(ManifestError, match=r"Expected at most 100 rows .* Expected an image file, but there is none"):
        accepted(rows)
    assert len(read) < 5_000
