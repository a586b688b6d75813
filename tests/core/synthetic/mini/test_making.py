"""From collections to an encoder's folder and its record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.trained_on import training_of
from radcbir_core.errors import CollectionError
from radcbir_core.synthetic.mini import making
from radcbir_core.synthetic.mini.examples import load_examples, preparation
from radcbir_core.synthetic.mini.making import (
    PHANTOMS,
    PHANTOMS_SEED,
    data_list,
    make_mini,
    phantoms_to_train_on,
    prepare_mini,
    training_list_of,
)
from radcbir_core.synthetic.mini.network import APPEARANCE, PREPROCESSING, SHARED
from radcbir_core.synthetic.mini.training import Recipe, Round
from tests.core.synthetic.mini.examples import made_up
from tests.stand_ins import make_small_phantoms


def make(collections, *, output, work, recipe) -> None:
    """All of it, without teachers."""
    make_mini(prepare_mini(collections, work=work, pictures=2), output=output, work=work, recipe=recipe)


RECIPE = Recipe(rounds=(Round(steps=2),), images=6, of_kind=4, warm_up=1)


def test_prepared_images_are_the_encoders_own_inputs(source, tmp_path) -> None:
    make([source], output=tmp_path / "e", work=tmp_path / "w", recipe=RECIPE)
    encoder = load_encoder(f"local-dir:{tmp_path / 'e'}", device="cpu")
    for shape in ((300, 90), (40, 128, 3), (7, 5)):
        image = np.random.default_rng(0).integers(0, 256, shape[:2]).astype(np.uint8)
        image = np.repeat(image[:, :, None], 3, axis=2) if len(shape) == 3 else image
        wanted = encoder.prepare(image)[0] * PREPROCESSING["std"][0] + PREPROCESSING["mean"][0]
        assert np.allclose(preparation()(image) / 255, wanted, atol=1e-4)
    examples = load_examples([source], cache=tmp_path / "cache")
    rows = {name: row for row, name in enumerate(source.manifest.column("image_id"))}
    for row, name in enumerate(examples.image_ids[:3]):
        assert np.array_equal(examples.prepared[row], preparation()(source.read_image(rows[name]).pixels))


def test_the_made_encoder_loads_like_any_checkpoint(source, tmp_path) -> None:
    output = tmp_path / "radcbir-other"
    recipe = Recipe(rounds=(Round(steps=2),), images=6, of_kind=4, warm_up=1)
    make([source], output=output, work=tmp_path / "work", recipe=recipe)
    encoder = load_encoder(f"local-dir:{output}", device="cpu")
    assert encoder.dimension == SHARED + APPEARANCE
    assert encoder.preprocessing.fit == "pad"
    assert encoder.preprocessing.mean == tuple(PREPROCESSING["mean"])
    texts = encoder.encode_texts(["CT of the head", "頭部", "qwertzuiop zyx"])
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert not texts[:, SHARED:].any()  # sentences say nothing of how an image looks
    record = json.loads((output / "training.json").read_text())
    assert record["recipe"]["rounds"][0]["steps"] == 2
    assert sum(row["trained_on"] for row in record["images"]) == 30 - sum(r["validated_on"] for r in record["images"])
    assert record["log"][-1]["step"] == 2
    whole = json.loads((output / "kit.json").read_text())
    kit = whole["files"]
    assert {name for name in kit if "/" not in name} == {
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "trained_on.txt",
    }
    assert whole["trained_on"] == "trained_on.txt"
    trained = training_of(f"local-dir:{output}", whole["weights_digest"])
    listed = {digest[:16] for digest in source.manifest.column("sha256")}
    assert len(trained.digests) == sum(row["trained_on"] for row in record["images"])
    assert {digest.decode() for digest in trained.digests.tolist()} < listed
    assert {name.partition("/")[0] for name in kit if "/" in name} == {"probe"}
    assert sum(path.stat().st_size for path in output.rglob("*")) < 25 * 2**20


def test_words_that_were_never_seen_all_say_the_same(source, tmp_path) -> None:
    make(
        [source],
        output=tmp_path / "e",
        work=tmp_path / "w",
        recipe=Recipe(rounds=(Round(steps=1),), images=4, of_kind=4),
    )
    encoder = load_encoder(f"local-dir:{tmp_path / 'e'}", device="cpu")
    one, other, known = encoder.encode_texts(["zebra of zebra", "violin of zebra", "CT of the head"])
    assert np.allclose(one, other, atol=1e-5)
    assert not np.allclose(one, known, atol=1e-3)


def test_the_list_of_data_counts_each_image_once_by_source_and_label() -> None:
    examples = made_up(4)
    listed = data_list(examples)
    assert [(row["label"], row["trained_on"], row["validated_on"]) for row in listed] == [
        ("CT/head/hemorrhage", 3, 1),
        ("CT/head/unknown", 3, 1),
        ("MR/brain/glioma", 3, 1),
        ("XR/chest/normal", 3, 1),
        ("XR/chest/several", 3, 1),
        ("unknown/unknown/unknown", 3, 1),
    ]
    assert {row["source"] for row in listed} == {"made/up"}


def test_phantoms_are_drawn_once_and_never_of_another_number(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    asked = {}

    def draw(*, name, images, progress, **options):
        asked.update(options)
        return make_small_phantoms(name=name, images=images, progress=progress)

    monkeypatch.setattr(making, "make_phantoms", draw)
    assert len(phantoms_to_train_on(6)) == 6
    assert asked == {"seed": PHANTOMS_SEED, "split": "train"}
    assert phantoms_to_train_on(6).name == PHANTOMS
    assert (tmp_path / "drawn.txt").read_text().splitlines() == [f"{PHANTOMS} 6"]
    with pytest.raises(
        CollectionError, match="Expected 7 phantoms to train on, but the collection mini-phantoms has 6"
    ):
        phantoms_to_train_on(7)


def test_the_list_of_what_was_trained_on_has_the_real_images_of_one_side() -> None:
    examples = made_up()
    trained = [row for row in range(len(examples)) if not examples.validation[row]]
    lines = training_list_of(examples).decode().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == sorted(examples.sha256[row][:16] for row in trained)
    assert lines[0] == f"# The {len(trained)} real images that were trained on: {len(trained)} of up."
    drawn = replace(examples, sources=["mini-phantoms/phantoms"] * len(examples))
    assert training_list_of(drawn) == b""
