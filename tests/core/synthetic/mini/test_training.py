"""From examples to an encoder's folder: sides, augmentation, resumed training, export."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.transform import Transform
from radcbir_core.errors import EncoderError
from radcbir_core.importers import import_collection
from radcbir_core.synthetic.mini import losses, teacher, training
from radcbir_core.synthetic.mini.augment import SIDE, augment
from radcbir_core.synthetic.mini.examples import load_examples, preparation
from radcbir_core.synthetic.mini.making import data_list, make_mini
from radcbir_core.synthetic.mini.network import GRAIN, PREPROCESSING, SHARED
from radcbir_core.synthetic.mini.teacher import APPEARANCE, Taught, teach
from radcbir_core.synthetic.mini.training import LOG, Recipe, Round, train
from tests.core.synthetic.mini.examples import made_up

ROUNDS = (
    Round(steps=2),
    Round(
        steps=2,
        strength=0.5,
        findings_weight=2.0,
        likeness_weight=1.0,
        views=True,
        appearance_weight=1.0,
        grain_weight=1.0,
    ),
)
RECIPE = Recipe(rounds=ROUNDS, images=6, of_kind=4, warm_up=1)


def taught(examples) -> Taught:
    """What a teacher might see; nothing in every fifth example, and two views of every third that is trained on."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(len(examples), 5)).astype(np.float16)
    features[::5] = 0
    first_view = np.full(len(examples), -1, dtype=np.int64)
    shown = np.flatnonzero(~examples.validation)[::3]
    first_view[shown] = np.arange(len(shown)) * 2
    seen = generator.normal(size=(2 * len(shown), 5)).astype(np.float16)
    looks = generator.normal(size=(len(examples), APPEARANCE)).astype(np.float16)
    return Taught(
        features=features,
        details=features,
        appearances=looks,
        pixels=generator.integers(0, 256, (2 * len(shown), SIDE, SIDE), dtype=np.uint8),
        first_view=first_view,
        views=2,
        view_features=seen,
        view_details=seen,
        view_appearances=generator.normal(size=(2 * len(shown), APPEARANCE)).astype(np.float16),
    )


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A collection of 30 images: patients, splits, and near duplicates without a patient."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    folder = tmp_path / "source"
    folder.mkdir()
    generator = np.random.default_rng(0)
    rows = [["path", "modality", "anatomy", "pathology", "patient_id", "split"]]
    for number in range(30):
        base = np.random.default_rng(number // 2).integers(0, 256, (40, 30))
        pixels = np.clip(base + generator.integers(0, 8, base.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        patient = f"p{number // 3}" if number < 12 else ""
        rows.append(
            [
                f"{number}.png",
                "CT",
                "head",
                ["normal", "mass"][number % 2],
                patient,
                "test" if number in (0, 20) else "",
            ]
        )
    with (folder / "manifest.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return import_collection([folder], name="source").collection


def test_sides_never_share_a_patient_or_a_near_duplicate(source, tmp_path) -> None:
    examples = load_examples([source], cache=tmp_path / "cache")
    assert len(examples) == 30
    side = {name.rsplit("/", 1)[-1]: held for name, held in zip(examples.image_ids, examples.validation, strict=True)}
    assert side["0.png"]
    assert side["1.png"]  # the same patient
    assert side["2.png"]
    assert side["20.png"]
    assert side["21.png"]  # nearly the same picture
    for number in range(12, 30, 2):
        assert side[f"{number}.png"] == side[f"{number + 1}.png"]
    assert 2 < sum(side.values()) < 28
    again = load_examples([open_collection("source")], cache=tmp_path / "cache")
    assert np.array_equal(again.pixels, examples.pixels)
    assert np.array_equal(again.validation, examples.validation)
    listed = data_list(examples)
    assert sum(row["trained_on"] + row["validated_on"] for row in listed) == 30
    assert sum(row["validated_on"] for row in listed) == sum(side.values())


def test_without_augmentation_the_network_sees_what_the_encoder_shows_it() -> None:
    y, x = np.mgrid[0:160, 0:120]
    picture = (125 + 55 * np.sin(x / 19) + 55 * np.cos(y / 23)).astype(np.uint8)
    pixels = np.zeros((1, 160, 160), dtype=np.uint8)
    pixels[0, :160, :120] = picture
    seen = augment(
        torch.from_numpy(pixels), torch.tensor([[160, 120]]), torch.Generator().manual_seed(0), strength=0.0
    )[0].numpy()
    preprocessing = Preprocessing(
        size=(SIDE, SIDE), fit="pad", interpolation="bilinear", color="RGB", mean=(0, 0, 0), std=(1, 1, 1)
    )
    shown = Transform(preprocessing)(picture)[0]
    inside = np.s_[4:-4, 20:-20]
    assert np.abs(seen[inside] - shown[inside]).max() < 0.02
    assert seen[:, :14].max() == 0 == shown[:, :14].max()


def test_prepared_images_are_the_encoders_own_inputs(source, tmp_path) -> None:
    make_mini([source], output=tmp_path / "e", work=tmp_path / "w", recipe=replace(RECIPE, rounds=ROUNDS[:1]))
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


def test_augmentation_stays_in_range_varies_and_follows_from_its_generator() -> None:
    examples = made_up(8)
    pixels, extents = torch.from_numpy(examples.pixels), torch.from_numpy(examples.extents.astype(np.int64))
    one, same, other = (augment(pixels, extents, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == (len(examples), SIDE, SIDE)
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    assert torch.isfinite(one).all()
    assert torch.equal(one, same)
    assert (one - other).abs().mean() > 0.05


def test_a_stopped_training_ends_with_the_same_weights(tmp_path, monkeypatch, one_thread) -> None:
    examples = made_up()
    teacher = taught(examples)
    whole = train(examples, RECIPE, folder=tmp_path / "whole", teacher=teacher, checkpoint_every=2)

    class Stopped(Exception):
        pass

    def stop(step, done, total) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train(examples, RECIPE, folder=tmp_path / "parts", teacher=teacher, checkpoint_every=2, progress=stop)
    steps: list[int] = []
    parts = train(
        examples,
        RECIPE,
        folder=tmp_path / "parts",
        teacher=teacher,
        checkpoint_every=2,
        progress=lambda _, done, __: steps.append(done),
    )
    assert steps == [3, 4]
    assert whole.keys() == parts.keys()
    for name, tensor in whole.items():
        assert torch.allclose(tensor.float(), parts[name].float(), atol=1e-5), name
    lines = [json.loads(line) for line in (tmp_path / "parts" / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [4]
    asked = ("text", "anchor", "detail", "label", "kind", "teacher", "likeness", "appearance", "balance", "grain")
    assert all(lines[0][name] > 0 for name in asked)

    with pytest.raises(EncoderError, match="a checkpoint of this recipe and these images"):
        train(
            examples, Recipe(rounds=(Round(steps=5),), images=6, of_kind=4), folder=tmp_path / "parts", teacher=teacher
        )
    monkeypatch.setattr(training, "_rate", lambda *_: float("nan"))
    with pytest.raises(EncoderError, match="Expected finite losses, but at step 4"):
        train(examples, RECIPE, folder=tmp_path / "diverged", teacher=teacher)


def test_the_made_encoder_loads_like_any_checkpoint(source, tmp_path) -> None:
    output = tmp_path / "radcbir-other"
    recipe = Recipe(rounds=(Round(steps=2),), images=6, of_kind=4, warm_up=1)
    make_mini([source], output=output, work=tmp_path / "work", recipe=recipe)
    encoder = load_encoder(f"local-dir:{output}", device="cpu")
    assert encoder.dimension == SHARED + GRAIN
    assert encoder.preprocessing.fit == "pad"
    assert encoder.preprocessing.mean == tuple(PREPROCESSING["mean"])
    texts = encoder.encode_texts(["CT of the head", "頭部", "qwertzuiop zyx"])
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert not texts[:, SHARED:].any()  # sentences say nothing of how an image looks
    record = json.loads((output / "training.json").read_text())
    assert record["recipe"]["rounds"][0]["steps"] == 2
    assert sum(row["trained_on"] for row in record["images"]) == 30 - sum(r["validated_on"] for r in record["images"])
    assert record["log"][-1]["step"] == 2
    kit = json.loads((output / "kit.json").read_text())["files"]
    assert {name for name in kit if "/" not in name} == {"open_clip_config.json", "open_clip_model.safetensors"}
    assert {name.partition("/")[0] for name in kit if "/" in name} == {"probe"}
    assert sum(path.stat().st_size for path in output.rglob("*")) < 25 * 2**20


def test_words_that_were_never_seen_all_say_the_same(source, tmp_path) -> None:
    make_mini(
        [source],
        output=tmp_path / "e",
        work=tmp_path / "w",
        recipe=Recipe(rounds=(Round(steps=1),), images=4, of_kind=4),
    )
    encoder = load_encoder(f"local-dir:{tmp_path / 'e'}", device="cpu")
    one, other, known = encoder.encode_texts(["zebra of zebra", "violin of zebra", "CT of the head"])
    assert np.allclose(one, other, atol=1e-5)
    assert not np.allclose(one, known, atol=1e-3)


def test_a_teacher_that_is_none(tmp_path) -> None:
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(EncoderError, match=r"ai-edge-litert|TensorFlow Lite model"):
        teach(made_up(1), path, cache=tmp_path / "cache")


def test_the_second_round_starts_the_learning_rate_again() -> None:
    recipe = Recipe(rounds=(Round(steps=20), Round(steps=30)), warm_up=5, learning_rate=1.0)
    rates = [training._rate(step, recipe) for step in range(50)]
    assert rates[4] == rates[24] == 1.0
    assert rates[19] < 0.05
    assert rates[20] == rates[0] == 0.2
    assert rates[49] < 0.02
    assert all(0 < rate <= 1 for rate in rates)
    short = recipe.shortened(10)
    assert short.steps == 10
    assert training._rate(9, short) < 0.2


def test_weaker_augmentation_changes_images_less() -> None:
    examples = made_up(8)
    pixels, extents = torch.from_numpy(examples.pixels), torch.from_numpy(examples.extents.astype(np.int64))

    def changed(strength: float) -> float:
        shown = augment(pixels, extents, torch.Generator(), strength=0.0)
        made = [augment(pixels, extents, torch.Generator().manual_seed(seed), strength=strength) for seed in range(4)]
        return float(torch.stack([(one - shown).abs().mean() for one in made]).mean())

    assert 0 < changed(0.2) < changed(1.0)


def test_what_the_teacher_sees_is_centered_by_kind_and_views_belong_to_their_image(tmp_path, monkeypatch) -> None:
    def run(pixels, extents, *_):
        """Mean level, its square, the share of black, and a constant."""
        level = np.array([image[:h, :w].mean() / 255 for image, (h, w) in zip(pixels, extents, strict=True)])
        black = (pixels == 0).mean(axis=(1, 2))
        return np.stack([level, level**2, black, np.ones(len(level))], axis=1).astype(np.float32)

    monkeypatch.setattr(teacher, "_run", run)
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"any")
    examples = made_up(8)
    found = teach(examples, path, cache=tmp_path / "cache")
    trained = ~examples.validation
    assert len(found.pixels) == trained.sum() * len(teacher.VIEWS)
    assert (found.first_view >= 0).tolist() == trained.tolist()
    rows = np.arange(len(examples))
    chosen = found.views_of(rows, np.random.default_rng(0))
    assert (chosen[~trained] == -1).all()
    assert ((chosen - found.first_view)[trained] < found.views).all()
    # The first view is the image as the encoder shows it.
    assert np.array_equal(found.pixels[found.first_view[trained]], examples.prepared[trained])
    # By hand: the level of one kind, its mean over what is trained on removed.
    kind = np.array([m == "MR" for m in examples.modality])
    seen = run(examples.pixels, examples.extents)
    part = seen[kind] - seen[kind & trained].mean(axis=0)
    expected = part / np.linalg.norm(part, axis=1, keepdims=True)
    assert np.allclose(found.details[kind].astype(float), expected, atol=0.02)
    part = seen - seen[trained].mean(axis=0)
    expected = part / np.linalg.norm(part, axis=1, keepdims=True)
    assert np.allclose(found.features.astype(float), expected, atol=0.02)
    # Appearances: half of the kind's mean removed, turned into principal directions, which keeps angles.
    of = np.array([f"{m}/{a}" for m, a in zip(examples.modality, examples.anatomy, strict=True)])
    general = seen[trained].mean(axis=0)
    rest = np.stack(
        [row - (general + seen[trained & (of == kind)].mean(axis=0)) / 2 for row, kind in zip(seen, of, strict=True)]
    )
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    looks = found.appearances.astype(float)
    assert looks.shape == (len(examples), APPEARANCE)
    assert np.allclose(looks @ looks.T, rest @ rest.T, atol=0.02)
    assert found.view_appearances.shape == (len(found.pixels), APPEARANCE)
    assert np.allclose(np.linalg.norm(found.view_appearances.astype(float), axis=1), 1, atol=0.01)
    again = teach(examples, path, cache=tmp_path / "cache")
    assert np.array_equal(again.view_features, found.view_features)


def test_likeness_is_least_where_the_network_has_the_teachers_similarities() -> None:
    generator = torch.Generator().manual_seed(0)
    details = torch.nn.functional.normalize(torch.randn(6, 4, generator=generator), dim=1)
    among = torch.ones(6, 6, dtype=torch.bool)
    same = losses.likeness_loss(details, details, among=among)
    for seed in range(1, 6):  # seed 0 made the details
        other = torch.nn.functional.normalize(
            details + 0.5 * torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)), dim=1
        )
        assert losses.likeness_loss(other, details, among=among) > same
    silent = torch.zeros_like(details)
    assert losses.likeness_loss(details, silent, among=among) == 0
    apart = torch.eye(6, dtype=torch.bool)
    assert losses.likeness_loss(details, details, among=apart) == 0
    # An image the teacher says nothing of changes nothing for the others.
    quiet = torch.cat([details, torch.zeros(1, 4)])
    more = torch.cat([details, torch.nn.functional.normalize(torch.ones(1, 4), dim=1)])
    all_of_them = torch.ones(7, 7, dtype=torch.bool)
    assert torch.allclose(losses.likeness_loss(more, quiet, among=all_of_them), same)


def test_parts_of_an_embedding_are_balanced_where_their_norms_have_the_share() -> None:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(5, 8, generator=generator)
    further = torch.randn(5, 3, generator=generator)
    norms = further.norm(dim=1) / shared.norm(dim=1)
    expected = np.mean([math.log(float(norm) / 0.4) ** 2 for norm in norms])
    assert float(losses.balance_loss(shared, further, share=0.4)) == pytest.approx(expected, rel=1e-4)
    level = further / norms[:, None] * 0.4
    assert float(losses.balance_loss(7 * shared, 7 * level, share=0.4)) < 1e-9
    assert torch.isfinite(losses.balance_loss(torch.zeros(2, 8), torch.zeros(2, 3), share=0.4))
