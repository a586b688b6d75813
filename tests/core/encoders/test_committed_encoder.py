"""The encoder in the repository: whole, small enough, loaded like any folder, and able to tell what it must."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.registry import ROOT
from radcbir_core.synthetic.phantoms.patients import patient

FOLDER = ROOT / "data" / "encoders" / "radcbir-mini"


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("radcbir-mini", device="cpu")


def test_the_folder_is_whole_and_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 25 * 2**20
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in FOLDER.iterdir():
        assert path.name == "README.md" or f"`{path.name}{'/' * path.is_dir()}`" in card
    record = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    assert record["log"][-1]["step"] == sum(part["steps"] for part in record["recipe"]["rounds"])
    assert all(row["trained_on"] >= 0 for row in record["images"])


def test_it_is_the_folder_loaded_by_its_path(encoder) -> None:
    other = load_encoder(f"local-dir:{FOLDER}", device="cpu")
    assert other.fingerprint == encoder.fingerprint
    picture = np.random.default_rng(0).integers(0, 256, (90, 60), dtype=np.uint8)
    assert np.array_equal(other.encode_images([picture]), encoder.encode_images([picture]))


def test_it_finds_the_kind_of_a_phantom_by_image_and_by_text(encoder) -> None:
    drawn = {}
    for number in range(140):
        who = patient(number, left=9, seed=9)
        kind = (who.scene.modality, who.scene.anatomy)
        if len(drawn.setdefault(kind, [])) < 2:
            (image,) = who.scene.draw(who.pathology, np.random.default_rng([9, number]), 1)
            drawn[kind].append(image.pixels)
    kinds = [kind for kind in drawn for _ in range(2)]
    assert len(drawn) == 16
    images = encoder.encode_images([pixels for pair in drawn.values() for pixels in pair])
    similarities = images @ images.T
    np.fill_diagonal(similarities, -2)
    nearest = [kinds[place] for place in similarities.argmax(axis=1)]
    assert np.mean([found[0] == kind[0] for found, kind in zip(nearest, kinds, strict=True)]) > 0.9
    said = {"XR": "radiograph", "CT": "CT", "MR": "MRI", "US": "ultrasound"}
    texts = encoder.encode_texts([f"{said[modality]} of the {anatomy}" for modality, anatomy in drawn])
    best = [kinds[place] for place in (texts @ images.T).argmax(axis=1)]
    assert np.mean([found == kind for found, kind in zip(best, drawn, strict=True)]) > 0.7
