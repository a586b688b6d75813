"""`why`, as a person types it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from radcbir_core.audit import audit_path
from radcbir_core.collections.collection import open_collection
from radcbir_core.explanation.drawing import for_drawing, side_by_side
from radcbir_core.explanation.explaining import explain_rows
from radcbir_core.explanation.explanation_words import as_record
from tests.core.cli.running import run

ROWS = (30, 33)


@pytest.fixture
def ids(small) -> list[str]:
    return open_collection("small").manifest.rows(ROWS, ["image_id"])["image_id"].tolist()


def test_the_method_the_similarity_and_the_checks_are_printed_and_the_picture_written(ids, tmp_path, capsys) -> None:
    made = explain_rows(open_collection("small").store("pixels"), *ROWS)
    picture = tmp_path / "pair.png"
    code, out, _ = run(capsys, "why", "small", *ids, "--output", str(picture))
    assert code == 0
    assert f"pixels, similarity {made.similarity:.3f}." in out
    assert "Occlusion: squares of 4 × 4" in out
    for side, image_id in zip(made.sides, ids, strict=True):
        assert image_id in out
        for check in side.checks:
            assert f"it takes {check.drop:.3f} from the similarity; 99 areas" in out
            assert f"more than {check.beaten} of 99." in out
    with Image.open(io.BytesIO(picture.read_bytes())) as read:
        images = [for_drawing(open_collection("small").read_image(row).pixels) for row in ROWS]
        assert np.array_equal(np.asarray(read), side_by_side(*images, made))
    assert '"export explanation"' in audit_path().read_text(encoding="utf-8").splitlines()[-1]


def test_as_json(ids, capsys) -> None:
    made = explain_rows(open_collection("small").store("pixels"), *ROWS)
    code, out, _ = run(capsys, "why", "small", *ids, "--encoder", "pixels", "--json")
    assert code == 0
    assert json.loads(out) == as_record(made)


def test_what_is_wrong_is_said(ids, tmp_path, capsys) -> None:
    for arguments, complaint in (
        ((ids[0], "nobody"), "nobody"),
        ((*ids, "--method", "magic"), "method = 'magic'"),
        ((*ids, "--method", "patches"), "but pixels does not"),
        ((*ids, "--output", str(tmp_path / "nowhere" / "a.png")), "Expected a folder that exists"),
        (
            (*ids, "--output", str(tmp_path / "a.jpg")),
            "Expected the name of a PNG file, but a.jpg does not end",
        ),
    ):
        code, _, err = run(capsys, "why", "small", *arguments)
        assert code == 2
        assert complaint in " ".join(err.split())
