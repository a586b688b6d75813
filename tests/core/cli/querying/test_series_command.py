"""``query-series``: what it prints and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.cli import main
from tests.core.images.nifti_files import nifti_bytes


@pytest.fixture
def small(small_data, monkeypatch):
    from radcbir_core.collections.collection import open_collection

    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def test_an_image_of_the_collection_asks_with_its_series(small, capsys) -> None:
    image_id = small.manifest.image_id(0)
    assert main(["query-series", "small", "--id", image_id, "-k", "3", "--exclude", "patient", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert image_id not in [hit["image_id"] for hit in hits]
    assert {hit["query_slice"] for hit in hits} == {image_id}
    assert main(["query-series", "small", "--id", image_id, "--rule", "rrf"]) == 0
    told = capsys.readouterr().out
    assert "10 series. 1 slice asked, and series are ordered by reciprocal rank fusion" in told


def test_a_volume_asks(small, capsys, tmp_path) -> None:
    file = tmp_path / "scan.nii.gz"
    file.write_bytes(nifti_bytes(np.random.default_rng(0).integers(0, 255, (12, 12, 6)).astype(np.uint8), packed=True))
    assert main(["query-series", "small", "--file", str(file), "--every", "2", "-k", "2"]) == 0
    assert "2 series. 3 slices asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected one of --id and --file, but none is given"),
        (["--id", "a", "--file", "b"], "but both are given"),
        (["--file", "none.nii"], "none.nii does not exist"),
        (["--id", "nobody"], "nobody"),
    ],
)
def test_mistakes_are_one_line(small, capsys, arguments, message) -> None:
    assert main(["query-series", "small", *arguments]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: Expected ")
    assert message in told
    assert len(told.splitlines()) == 1
