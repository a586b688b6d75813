"""A study as it is made: cases with their truth, hits that give no case away, what it records."""

from __future__ import annotations

import pytest

from radcbir_core.collections.artifacts import EMBEDDINGS
from radcbir_core.collections.reader_studies.study_definition import read_study
from radcbir_core.errors import ImageError, QueryError, StudyError
from radcbir_core.reader_study.study_making import StudyRequest, drawn_study, make_study
from radcbir_core.search.retriever import Retriever

REQUEST = StudyRequest("chest", ("pneumonia", "normal"), 6, k=4, practice=2, exclude=("patient",), seed=3)


@pytest.fixture
def retriever(copied) -> Retriever:
    return Retriever(copied, "pixels")


def test_cases_are_of_different_patients_and_have_the_truth_of_their_label(copied, retriever) -> None:
    study = make_study(retriever, REQUEST, by="me")
    assert read_study(copied.folder, "chest") == study
    assert (len(study.cases), len(study.practice)) == (6, 2)
    everything = [*study.cases, *study.practice]
    manifest = copied.manifest
    patients = [manifest.record(manifest.row_of(case.image_id))["patient_id"] for case in everything]
    known = [patient for patient in patients if patient]
    assert len(set(known)) == len(known)
    assert len({case.group for case in everything}) == 8
    for case in everything:
        record = manifest.record(manifest.row_of(case.image_id))
        assert case.labels == tuple(record["pathologies"]) == (case.truth,)
        assert case.sha256 == record["sha256"] != ""
    assert [sum(case.truth == answer for case in study.cases) for answer in study.answers] == [3, 3]
    assert sum(case.half for case in study.cases) == 3


def test_hits_are_those_of_a_search_that_leaves_out_all_cases(copied, retriever) -> None:
    study = drawn_study(retriever, REQUEST, by="me")
    manifest = copied.manifest
    cases = {manifest.row_of(case.image_id) for case in (*study.cases, *study.practice)}
    copies = manifest.groups("duplicate")
    alike = cases | {
        row for row in range(len(manifest)) if copies[row] >= 0 and copies[row] in {copies[case] for case in cases}
    }
    for case in (*study.cases, *study.practice):
        row = manifest.row_of(case.image_id)
        everything = retriever.search(row, k=len(manifest), exclude=["patient"])
        expected = [
            (int(hit), round(float(similarity), 4))
            for hit, similarity in zip(everything.rows(), everything.similarities(), strict=True)
            if int(hit) not in alike
        ][:4]
        assert [(manifest.row_of(hit.image_id), hit.similarity) for hit in case.hits] == expected
        for hit in case.hits:
            assert hit.labels == tuple(manifest.record(manifest.row_of(hit.image_id))["pathologies"])
        assert case.agreement == sum(case.truth in hit.labels for hit in case.hits) / 4


def test_it_records_what_hits_came_from(copied, retriever) -> None:
    study = drawn_study(retriever, REQUEST, by="me")
    store = copied.store("pixels")
    assert study.embeddings_digest == store.made_digest(EMBEDDINGS) != ""
    assert study.encoder_fingerprint == store.record["fingerprint"]
    assert study.images_digest == copied.digests.images
    assert study.labels_digest == copied.digests.all_labels
    assert (study.title, study.made_by, study.exclude) == ("chest", "me", ("patient",))


def test_the_seed_decides_and_another_one_is_another_study(retriever) -> None:
    one, same = (drawn_study(retriever, REQUEST, by="me") for _ in range(2))
    assert [case.image_id for case in one.cases] == [case.image_id for case in same.cases]
    other = drawn_study(retriever, StudyRequest(**{**REQUEST.__dict__, "seed": 4}), by="me")
    assert [case.image_id for case in one.cases] != [case.image_id for case in other.cases]


@pytest.mark.parametrize(
    ("changed", "error", "expected"),
    [
        ({"name": "No!"}, StudyError, "Expected the name of a reader study"),
        ({"cases": 500}, StudyError, "patients by label"),
        ({"answers": ("pneumonia",), "cases": 2, "practice": 0}, StudyError, "Expected 2 to 40 answers"),
        ({"exclude": ("sister",)}, QueryError, "Expected exclusions of"),
        ({"reveal": "each"}, StudyError, "before a case is read the second time"),
        ({"where": {"anatomy": ["nose"]}}, QueryError, "nose"),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(copied, retriever, changed, error, expected) -> None:
    with pytest.raises(error, match=expected):
        make_study(retriever, StudyRequest(**{**REQUEST.__dict__, **changed}), by="me")
    assert not copied.layout.reader_studies.exists()


def test_cases_that_cannot_be_shown_are_no_cases(copied, retriever, tmp_path, monkeypatch) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    for file, expected in ((bad, "bad.png"), (tmp_path / "missing.png", "there is no such file|not there|missing")):
        monkeypatch.setattr(type(copied), "image_files", lambda _, rows, file=file: iter([(file, None) for _ in rows]))
        with pytest.raises(ImageError, match=expected):
            make_study(retriever, REQUEST, by="me")
    assert not copied.layout.reader_studies.exists()


def test_a_name_is_taken_once(copied, retriever) -> None:
    first = make_study(retriever, REQUEST, by="me")
    with pytest.raises(StudyError, match="exists already"):
        make_study(retriever, StudyRequest(**{**REQUEST.__dict__, "seed": 9}), by="me")
    assert read_study(copied.folder, "chest") == first
