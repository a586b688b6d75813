"""Training: resumed where it was stopped, and rounds that start the learning rate again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from radcbir_core.errors import EncoderError
from radcbir_core.synthetic.mini import training
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.teacher import APPEARANCE, Taught
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


def test_the_last_steps_are_taken_with_the_statistics_that_are_exported(tmp_path, monkeypatch, one_thread) -> None:
    recipe = Recipe(rounds=(Round(steps=4),), images=6, of_kind=4, warm_up=1, settled_share=0.5)
    seen: list[dict[str, torch.Tensor]] = []
    follow = training._Work._follow

    def remember(work, step) -> None:
        follow(work, step)
        seen.append({name: tensor.clone() for name, tensor in work.model.state_dict().items()})

    monkeypatch.setattr(training._Work, "_follow", remember)
    weights = train(made_up(), recipe, folder=tmp_path, checkpoint_every=1)
    statistics = [name for name in weights if name.endswith(("running_mean", "running_var"))]
    assert statistics
    for name in statistics:
        assert not torch.equal(seen[0][name], seen[1][name]), "before, every batch moves them"
        assert torch.equal(seen[2][name], seen[3][name])
        assert torch.equal(weights[name], seen[3][name])
    assert not torch.equal(seen[2]["visual.trunk.conv_stem.weight"], seen[3]["visual.trunk.conv_stem.weight"])
