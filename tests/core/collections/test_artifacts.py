"""The table of artifacts, and the rules by which each is current, missing or stale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections import artifacts
from radcbir_core.collections.archive.contents import belongs
from radcbir_core.collections.artifacts import (
    ARTIFACT_NAMES,
    ARTIFACTS,
    BY_NAME,
    EMBEDDINGS,
    EVALUATION,
    NEIGHBORS,
    SOURCES,
    Artifact,
    Standing,
    check_table,
    made_record,
    standings,
)
from radcbir_core.collections.inventory import PARTS, sizes_of
from radcbir_core.pipeline import MAKERS

NOW = dict.fromkeys(SOURCES, "as it is")


def made(sources: Mapping[str, str] = NOW) -> dict[str, dict]:
    """The records of a complete build."""
    records: dict[str, dict] = {}
    for artifact in ARTIFACTS:
        of = {**sources, **{name: record["digest"] for name, record in records.items()}}
        records[artifact.name] = made_record(artifact, of=of, digest=f"digest of {artifact.name}")
    return records


def states(records, *, sources=NOW, missing=lambda artifact: "") -> dict[str, str]:
    return {name: standing.state for name, standing in standings(records, sources=sources, missing=missing).items()}


def behind(name: str) -> set[str]:
    """What is made of a source or an artifact, directly or not."""
    makes = {artifact.name for artifact in ARTIFACTS if name in artifact.of}
    return makes.union(*(behind(one) for one in makes))


def test_everything_follows_from_the_table(tmp_path) -> None:
    assert ARTIFACT_NAMES == ("embeddings", "index", "neighbors", "near-duplicates", "evaluation", "projection")
    assert {EMBEDDINGS.name, *MAKERS} == set(ARTIFACT_NAMES), "each has a maker; embeddings need an encoder"
    assert set(BY_NAME) <= set(PARTS)
    assert set(BY_NAME) - set(ARTIFACT_NAMES) == {artifact.name for artifact in ARTIFACTS if artifact.on_request}
    encoder = tmp_path / "encoders" / "e"
    for artifact in ARTIFACTS:
        assert [bool(artifact.files), bool(artifact.one_of), bool(artifact.folder)].count(True) == 1
        assert set(artifact.arrays) <= set(artifact.files)
        for name in (*artifact.files, *artifact.one_of) or (
            f"{artifact.folder}/kind/table.parquet",
            f"{artifact.folder}/notes.json",
        ):
            assert belongs(f"encoders/e/{name}")
            (encoder / name).parent.mkdir(parents=True, exist_ok=True)
            (encoder / name).write_bytes(b"12345")
        assert sizes_of(tmp_path).parts[artifact.name] >= 5
    assert sizes_of(tmp_path).parts["other"] == 0
    for odd in (
        "evaluation/../x.json",
        "evaluation/a/b/c/d/x.json",
        "evaluation/x.exe",
        "other.npy",
        "shards/000000.npy",
    ):
        assert not belongs(f"encoders/e/{odd}"), odd


def test_labels_void_no_pixels() -> None:
    """The point of it all: whoever corrects a label evaluates again, and nothing else."""
    assert behind("labels") == {"evaluation"}
    assert states(made(), sources=NOW | {"labels": "corrected"}) == {
        name: "stale" if name == "evaluation" else "current" for name in BY_NAME
    }


@given(st.sampled_from([*SOURCES]))
def test_what_changes_makes_stale_what_is_made_of_it(source) -> None:
    standing = states(made(), sources=NOW | {source: "other"})
    assert {name for name, state in standing.items() if state == "stale"} == behind(source)


@given(st.sampled_from(ARTIFACTS))
def test_what_is_made_again_with_other_content_makes_stale_what_is_made_of_it(artifact) -> None:
    records = made()
    records[artifact.name] = records[artifact.name] | {"digest": "other bytes"}
    standing = states(records)
    assert {name for name, state in standing.items() if state == "stale"} == behind(artifact.name)
    records[artifact.name] = records[artifact.name] | {"digest": f"digest of {artifact.name}"}
    assert set(states(records).values()) == {"current"}, "the same bytes again: nothing has happened"


@given(st.sampled_from(ARTIFACTS))
def test_a_newer_recipe_makes_it_and_what_is_made_of_it_stale(artifact) -> None:
    records = made()
    before = min(artifact.still_read, default=artifact.recipe) - 1
    records[artifact.name] = records[artifact.name] | {"recipe": before}
    standing = standings(records, sources=NOW, missing=lambda _: "")
    assert {name for name, one in standing.items() if one.state == "stale"} == {artifact.name} | behind(artifact.name)
    assert standing[artifact.name].reason == (f"made by version {before} of its recipe, which is {artifact.recipe} now")


@given(st.sets(st.sampled_from([*BY_NAME])))
def test_files_that_are_gone_are_missing_and_void_nothing(gone) -> None:
    standing = states(made(), missing=lambda artifact: "its file" if artifact.name in gone else "")
    assert standing == {name: "missing" if name in gone else "current" for name in BY_NAME}


def test_the_reasons_are_said() -> None:
    records = made()
    standing = standings(records, sources=NOW | {"images": "others"}, missing=lambda _: "")
    assert standing["embeddings"] == Standing("stale", "the collection has other images now")
    assert standing["projection"].reason == (
        "made of neighbors that are not current: made of embeddings that are not current: "
        "the collection has other images now"
    )
    del records["neighbors"]
    standing = standings(records, sources=NOW, missing=lambda artifact: "x.npy" if artifact is EMBEDDINGS else "")
    assert standing["embeddings"] == Standing("missing", "x.npy is not there")
    assert standing["neighbors"] == Standing("missing", "not made yet")
    assert standing["evaluation"] == Standing("stale", "made of neighbors that are not current: not made yet")


@given(
    st.dictionaries(
        st.sampled_from(ARTIFACT_NAMES),
        st.one_of(
            st.none(),
            st.integers(),
            st.dictionaries(st.sampled_from(["of", "digest", "recipe"]), st.text("ab", max_size=2)),
        ),
    )
)
def test_records_that_anybody_wrote_are_not_current_and_no_error(records) -> None:
    assert set(states(records).values()) <= {"missing", "stale"}


def test_a_further_artifact_is_one_line(monkeypatch) -> None:
    further = Artifact(
        "near_duplicates", of=("neighbors", "images"), title="near-duplicates", stage="Group them", files=("near.npy",)
    )
    monkeypatch.setattr(artifacts, "ARTIFACTS", (*ARTIFACTS, further))
    monkeypatch.setattr(artifacts, "BY_NAME", check_table((*ARTIFACTS, further)))
    records = made()
    assert states(records)["near_duplicates"] == "missing"
    records["near_duplicates"] = made_record(further, of={**NOW, "neighbors": "digest of neighbors"}, digest="d")
    assert states(records)["near_duplicates"] == "current"
    assert states(records, sources=NOW | {"labels": "corrected"})["near_duplicates"] == "current"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((NEIGHBORS, EMBEDDINGS), "'neighbors' is made of 'embeddings'"),
        ((EMBEDDINGS, EMBEDDINGS), "'embeddings' stands there twice"),
        ((replace(EMBEDDINGS, name="labels"),), "'labels' stands there twice"),
        ((replace(EVALUATION, of=("nothing",)),), "'evaluation' is made of 'nothing'"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_table(table)
    assert list(BY_NAME) == [artifact.name for artifact in ARTIFACTS]


def test_an_earlier_recipe_that_is_still_read_is_current() -> None:
    """A graph of before differs by a rounding, and is no reason to make hours of work again."""
    records = made()
    records["neighbors"]["recipe"] = 1
    assert set(states(records).values()) == {"current"}
    records["neighbors"]["recipe"] = 0
    assert states(records)["neighbors"] == "stale"
    records["index"]["recipe"] = 0
    assert states(records)["index"] == "stale"
