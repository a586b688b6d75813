"""`query`, as a person types it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.engines import usearch
from radcbir_core.search.hit_facets import DEPTH, count_facets
from radcbir_core.search.language import nonsense
from radcbir_core.search.narrowing import one_each
from radcbir_core.search.opening import ENGINES
from radcbir_core.search.queries.composition import Composition
from radcbir_core.search.queries.query import ImageQuery, RowQuery
from radcbir_core.search.queries.region import Box, region_query
from radcbir_core.search.queries.tile_grid import found_said
from radcbir_core.search.retriever import Retriever
from tests.core.cli.running import run


def test_query_by_id_and_by_file_agree(small, capsys) -> None:
    collection = open_collection("small")
    image_id = collection.manifest.record(30)["image_id"]
    code, out, _ = run(capsys, "query", "small", "--encoder", "pixels", "--id", image_id, "-k", "5", "--json")
    assert code == 0
    by_id = json.loads(out)
    assert [hit["rank"] for hit in by_id] == [1, 2, 3, 4, 5]
    assert list(by_id[0]) == [
        "rank", "image_id", "path", "similarity", "modality", "anatomy", "pathologies", "patient_id", "dataset",
            "percentile", "percentile_alike", "chance",
    ]  # fmt: skip
    assert image_id not in {hit["image_id"] for hit in by_id}
    path = str(collection.image_path(30))
    by_file = json.loads(run(capsys, "query", "small", "--image", path, "-k", "6", "--json")[1])
    assert by_file[0]["image_id"] == image_id
    assert by_file[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert [hit["image_id"] for hit in by_file[1:]] == [hit["image_id"] for hit in by_id]
    code, out, _ = run(capsys, "query", "small", "--id", image_id, "-k", "2")
    assert "2 hits, exact search." in out


def test_an_approximate_answer_says_with_what_recall(small, capsys, monkeypatch) -> None:
    image_id = open_collection("small").manifest.record(30)["image_id"]
    monkeypatch.setitem(usearch.USearch.__init__.__kwdefaults__, "exact_elements", 0)
    opened = usearch.open_usearch
    monkeypatch.setitem(
        ENGINES,
        "usearch",
        replace(
            ENGINES["usearch"],
            open=lambda source, path, facts: opened(
                source, path, {**facts, "recall_at_1": 1, "recall_at_10": 0.9895, "recall_at_100": 0.98}
            ),
        ),
    )
    found = (
        "approximate search (usearch, which finds 100 % of the exact first hits, 98.9 % of the first 10 and "
        "98.0 % of the first 100)."
    )
    assert f"2 hits, {found}" in " ".join(run(capsys, "query", "small", "--id", image_id, "-k", "2")[1].split())
    _, out, err = run(capsys, "query", "small", "--id", image_id, "-k", "2", "--json")
    assert len(json.loads(out)) == 2
    assert f"Found by {found}" in " ".join(err.split())


def test_an_image_is_perturbed_first(small, capsys) -> None:
    collection = open_collection("small")
    image_id, path = collection.manifest.record(30)["image_id"], str(collection.image_path(30))
    asked = ["query", "small", "-k", "4", "--json", "--perturb", "invert"]
    by_id = json.loads(run(capsys, *asked, "--id", image_id)[1])
    pixels = 255 - collection.read_image(30).pixels
    expected = Retriever(collection, "pixels").search(pixels, k=5).table()["image_id"].tolist()
    assert [hit["image_id"] for hit in by_id] == [hit for hit in expected if hit != image_id][:4]
    by_file = json.loads(run(capsys, *asked, "--image", path)[1])
    assert [hit["image_id"] for hit in by_file] == expected[:4]
    out = run(capsys, "query", "small", "--id", image_id, "--perturb", "noise:5", "--perturb", "rotate:-10")[1]
    assert "The image was changed first: " in out
    for wrong in (["--id", image_id, "--perturb", "blur"], ["--text", "a chest", "--perturb", "invert"]):
        code, _, complaint = run(capsys, "query", "small", *wrong)
        assert code
        assert "Expected a" in " ".join(complaint.split())


def test_filters_and_exclusions(small, capsys) -> None:
    image_id = open_collection("small").manifest.record(0)["image_id"]
    options = [
        "--where",
        "modality=X-ray",
        "--where",
        "modality=CT",
        "--where",
        "split=train",
        "--exclude",
        "patient,duplicate",
    ]
    hits = json.loads(run(capsys, "query", "small", "--id", image_id, "-k", "99", "--json", *options)[1])
    manifest = open_collection("small").manifest
    mask = manifest.mask({"modality": ["XR", "CT"], "split": ["train"]})
    mask &= manifest.groups("patient") != manifest.groups("patient")[0]
    mask &= manifest.groups("duplicate") != manifest.groups("duplicate")[0]
    expected = int(
        (
            manifest.mask({"modality": ["XR", "CT"], "split": ["train"]})
            & (manifest.column("patient_id") != manifest.column("patient_id")[0])
        ).sum()
    )
    assert len(hits) == expected
    assert {hit["modality"] for hit in hits} == {"XR", "CT"}


def test_only_the_query_s_anatomy_is_searched(small, capsys) -> None:
    record = open_collection("small").manifest.record(0)
    asked = ["query", "small", "--id", record["image_id"], "-k", "20", "--within-anatomy"]
    hits = json.loads(run(capsys, *asked, "--json")[1])
    assert {(hit["modality"], hit["anatomy"]) for hit in hits} == {(record["modality"], record["anatomy"])}
    assert f"were searched: {record['modality']} {record['anatomy']}." in " ".join(run(capsys, *asked)[1].split())
    path = str(open_collection("small").image_path(0))
    code, _, err = run(capsys, "query", "small", "--image", path, "--within-anatomy")
    assert code != 0
    assert "of this query modality and anatomy are not known" in " ".join(err.split())


def test_hits_are_ordered_by_what_holds_hubs_back(small, capsys) -> None:
    collection = open_collection("small")
    asked = ["query", "small", "--id", collection.manifest.record(30)["image_id"], "-k", "4", "--hubness", "csls"]
    hits = json.loads(run(capsys, *asked, "--json")[1])
    expected = Retriever(collection, "pixels").search(30, k=4, order="csls").table()
    assert [hit["image_id"] for hit in hits] == expected["image_id"].tolist()
    assert [hit["cosine_rank"] for hit in hits] == expected["cosine_rank"].tolist()
    out = " ".join(run(capsys, *asked)[1].split())
    assert "cosine rank" in out
    assert "Ordered by CSLS, which holds hubs back: the first 60 by cosine" in out
    code, _, err = run(capsys, *asked[:-1], "euclid")
    assert code != 0
    assert "of cosine, csls, mutual-proximity, but order = 'euclid'" in " ".join(err.split())


def test_things_are_added_to_the_query(small, capsys) -> None:
    collection = open_collection("small")
    ids = [collection.manifest.image_id(row) for row in range(61)]
    asked = ["query", "small", "--id", ids[0], "-k", "4", "--add", f"like:{ids[3]}", "--add", f"image:-0.5:{ids[40]}"]
    composition = Composition.of([f"like:{ids[3]}", f"image:-0.5:{ids[40]}"], "1,0.5,0.15")
    expected = Retriever(collection, "pixels").search(composition.query(RowQuery((0,)), collection), k=4).table()
    hits = json.loads(run(capsys, *asked, "--rocchio", "1,0.5,0.15", "--json")[1])
    assert [hit["image_id"] for hit in hits] == expected["image_id"].tolist()
    assert hits[0]["composed_similarity"] == pytest.approx(expected["composed_similarity"][0], abs=1e-6)
    out = " ".join(run(capsys, *asked)[1].split())
    assert f"Composed of the query +1.00, {ids[3]} +0.75, {ids[40]} -0.50." in out
    many = ["--images", str(collection.image_path(0)), "--output", "hits.csv", "--add", f"like:{ids[3]}"]
    code, _, err = run(capsys, "query", "small", *many)
    assert code == 2
    assert "Expected one query to add something to, but --images is given" in " ".join(err.split())
    for wrong, said in (
        (["--add", "like"], "Expected a step as like:ID"),
        (["--rocchio", "1"], "Expected Rocchio's three weights"),
        (["--add", "like:nobody"], "nobody"),
        (["--add", f"image:-1:{ids[0]}"], "cancel each other out"),
    ):
        code, out, err = run(capsys, "query", "small", "--id", ids[0], *wrong)
        assert (code, out) == (2, "")
        assert said in " ".join(err.split())


def test_a_region_is_searched(small, capsys) -> None:
    collection = open_collection("small")
    image_id, path = collection.manifest.image_id(30), str(collection.image_path(30))
    box, pixels = Box(0, 0, 500, 750), collection.read_image(30).pixels
    retriever = Retriever(collection, "pixels")
    for whole in (0.0, 0.5):
        query = region_query(box, pixels, RowQuery((30,)), whole=whole)
        asked = ["query", "small", "-k", "4", "--json", "--region", "0,0,500,750", "--whole", str(whole)]
        hits = json.loads(run(capsys, *asked, "--id", image_id)[1])
        assert [hit["image_id"] for hit in hits] == retriever.search(query, k=4).table()["image_id"].tolist()
        outside = region_query(box, pixels, ImageQuery(pixels), whole=whole)
        hits = json.loads(run(capsys, *asked, "--image", path)[1])
        assert [hit["image_id"] for hit in hits] == retriever.search(outside, k=4).table()["image_id"].tolist()
    for wrong, said in (
        (["--id", image_id, "--region", "0,0,5,5"], "Expected a region within 0 to 1000"),
        (["--text", "a chest", "--region", "0,0,500,500"], "Expected an image for --region, but --text is given"),
        (
            ["--images", path, "--output", "hits.csv", "--region", "0,0,500,500"],
            "Expected one image to search a region",
        ),
    ):
        code, _, err = run(capsys, "query", "small", *wrong)
        assert code == 2
        assert said in " ".join(err.split())


def test_an_image_that_is_none(small, capsys, tmp_path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no image")
    code, out, err = run(capsys, "query", "small", "--image", str(path))
    assert (code, out) == (2, "")
    assert "notes.png" in err


def test_query_by_text(small_text_data, mini, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    monkeypatch.setattr(nonsense, "CHANCE_KNOWN", 1.0)  # what a random encoder answers is no better
    code, out, err = run(capsys, "query", "small", "--text", "CT of the abdomen with a cyst", "-k", "3", "--json")
    assert (code, err) == (0, ""), "the one encoder with a text tower need not be named"
    hits = json.loads(out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert "text_similarity" in hits[0]
    assert "similarity" not in hits[0]
    options = ["--encoder", "radcbir-mini", "--where", "modality=CT", "-k", "4"]
    code, out, _ = run(capsys, "query", "small", "--text", "a cyst", *options)
    assert code == 0
    assert "text similarity" in out
    assert "that of two images is on another scale" in out
    assert out.count("│ CT") == 4
    code, out, err = run(capsys, "query", "small", "--text", "cyst " * 10_000, *options)
    assert code == 0
    assert err.startswith("Note: Only the beginning of the text counts, ")
    assert "of 10,000 words" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", ""], "Expected a text with at least one word, but text = ''"),
        (["--text", "?!"], "Expected a text with at least one word"),
        (["--text", "chest", "--exclude", "patient"], "Expected no exclusions with a text, but exclude = patient"),
        (["--text", "chest", "--encoder", "pixels"], "but encoder = pixels has none: it compares images only. Choose"),
        (["--text", "chest", "--where", "modality=PET"], "modality = 'PET'"),
    ],
)
def test_texts_that_are_refused(small_text_data, mini, monkeypatch, capsys, arguments, message) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    code, out, err = run(capsys, "query", "small", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_fewer_hits_and_what_they_have_in_common(small, capsys) -> None:
    collection = open_collection("small")
    retriever = Retriever(collection, "pixels")
    image_id = collection.manifest.image_id(2)
    asked = ("query", "small", "--encoder", "pixels", "--id", image_id, "-k", "6", "--one-per", "patient")
    code, out, _ = run(capsys, *asked, "--facets", "--where", "split=train", "--json")
    assert code == 0
    told = json.loads(out)
    groups = collection.manifest.groups("patient")
    where = {"split": ["train"]}
    found = one_each(lambda k: retriever.search(2, k=k, where=where), groups, k=6)
    assert [hit["image_id"] for hit in told["hits"]] == found.answer.table()["image_id"].tolist()
    facets = count_facets(lambda filters: retriever.search(2, k=DEPTH, where=filters), collection.manifest, where)
    counted = {(row["column"], row["value"]): row["hits"] for row in told["facets"]}
    for facet in facets:
        assert {value: counted[facet.column, value] for value in facet.counts} == facet.counts
    least = round(float(found.answer.similarities()[3]), 3)
    code, out, _ = run(capsys, *asked, "--facets", "--where", "split=train", "--least", f"{least}")
    assert code == 0
    assert "One hit a patient, of the first" in out
    assert "are less similar than" in out
    assert "Counted over the first" in out
    for wrong, said in (
        (("--one-per", "hospital"), "Expected --one-per patient, study, series"),
        (("--least", "2"), "Expected a least similarity from -1 to 1"),
    ):
        code, _, complaint = run(capsys, "query", "small", "--encoder", "pixels", "--id", image_id, *wrong)
        assert code != 0
        assert said in " ".join(complaint.split())
    code, _, complaint = run(capsys, "query", "small", "--encoder", "pixels", "--images", ".", "--facets")
    assert code != 0
    assert "Expected one query with --one-per, --least and --facets" in " ".join(complaint.split())


def test_regions_are_embedded_found_and_deleted(small_data, tmp_path, monkeypatch, capsys) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    image_id = open_collection("small").manifest.image_id(30)
    asked = ("query", "small", "--id", image_id, "--region", "0,0,500,500", "--among", "regions", "-k", "4")
    code, _, err = run(capsys, *asked)
    assert code == 2
    assert "were never made" in err
    assert "Run: python -m radcbir_core build small --encoder pixels --tiles" in err
    code, out, _ = run(capsys, "build", "small", "--encoder", "pixels", "--tiles")
    assert code == 0
    assert re.search(r"tiles +│ [0-9.]+ s", out)
    code, out, _ = run(capsys, *asked)
    assert code == 0
    assert "4 hits, exact search." in out
    assert "10 regions of each image were searched" in out
    hits = json.loads(run(capsys, *asked, "--json")[1])
    assert len(hits) == 4
    collection = open_collection("small")
    query = region_query(Box(0, 0, 500, 500), collection.read_image(30).pixels, RowQuery((30,)))
    found = Retriever(collection, "pixels").search(query, k=4, exclude=["patient"], regions=True)
    assert [hit["image_id"] for hit in hits] == found.table()["image_id"].tolist()
    assert [hit["region"] for hit in hits] == [box.word for box in found.found_boxes()]
    report = tmp_path / "report.html"
    assert run(capsys, *asked, "--report", str(report))[0] == 0
    said = report.read_text()
    assert "10 regions of each image, the whole among them" in said
    assert found_said(found.found_boxes()[0]) in said
    assert json.loads(run(capsys, "info", "small", "--json")[1])["encoders"][0]["steps"]["tiles"] == "current"
    code, _, err = run(capsys, "query", "small", "--id", image_id, "--whole", "2")
    assert code != 0
    assert "--whole = 2 is alone" in " ".join(err.split())
    assert "among = 'parts'" in run(capsys, *asked[:-3], "parts")[2]
    assert "--images is given" in run(capsys, "query", "small", "--images", str(tmp_path), "--among", "regions")[2]
    code, out, _ = run(capsys, "build", "small", "--encoder", "pixels", "--no-tiles")
    assert "Deleted the regions of small with pixels." in out
    assert "tiles" not in json.loads(run(capsys, "info", "small", "--json")[1])["encoders"][0]["steps"]
