"""Training: resumed where it was stopped, and rounds that start the learning rate again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from radcbir_core.errors import EncoderError
from radcbir_core.synthetic.mini import training
from radcbir_core.synthetic.mini.network import APPEARANCE, SHARED
from radcbir_core.synthetic.mini.training import LOG, Recipe, Round, train
from radcbir_core.synthetic.mini.training_views import make_views
from tests.core.synthetic.mini.examples import made_up

RECIPE = Recipe(
    rounds=(Round(steps=2, side=64), Round(steps=2, findings_weight=2.0)), images=6, of_kind=4, pictures=3, warm_up=1
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Examples, their views and what teachers might see in them; nothing in every fifth view."""
    examples = made_up()
    views = make_views(examples, pictures=4, cache=tmp_path_factory.mktemp("views"))
    looks = np.random.default_rng(0).normal(size=(len(views), APPEARANCE)).astype(np.float16)
    looks[::5] = 0
    return examples, {"views": views, "appearances": looks}


def test_a_stopped_training_ends_with_the_same_weights(shown, tmp_path, monkeypatch, one_thread) -> None:
    examples, given = shown
    whole = train(examples, RECIPE, folder=tmp_path / "whole", **given, checkpoint_every=2)

    class Stopped(Exception):
        pass

    def stop(step, done, total) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train(examples, RECIPE, folder=tmp_path / "parts", **given, checkpoint_every=2, progress=stop)
    steps: list[int] = []
    parts = train(
        examples,
        RECIPE,
        folder=tmp_path / "parts",
        **given,
        checkpoint_every=2,
        progress=lambda _, done, __: steps.append(done),
    )
    assert steps == [3, 4]
    assert whole.keys() == parts.keys()
    for name, tensor in whole.items():
        assert torch.allclose(tensor.float(), parts[name].float(), atol=1e-5), name
    lines = [json.loads(line) for line in (tmp_path / "parts" / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [4]
    asked = ("text", "anchor", "detail", "label", "kind", "likeness", "appearance", "balance")
    assert all(lines[0][name] > 0 for name in asked)

    with pytest.raises(EncoderError, match="a checkpoint of this recipe and these images"):
        train(examples, Recipe(rounds=(Round(steps=5),), images=6, of_kind=4), folder=tmp_path / "parts", **given)
    other = {**given, "appearances": given["appearances"][::-1]}
    with pytest.raises(EncoderError, match="a checkpoint of this recipe and these images"):
        train(examples, RECIPE, folder=tmp_path / "parts", **other)
    monkeypatch.setattr(training, "_rate", lambda *_: float("nan"))
    with pytest.raises(EncoderError, match="Expected finite losses, but at step 4"):
        train(examples, RECIPE, folder=tmp_path / "diverged", **given)


def test_each_round_has_its_own_learning_rate() -> None:
    recipe = Recipe(rounds=(Round(steps=20, learning_rate=1.0), Round(steps=30, learning_rate=0.5)), warm_up=5)
    rates = [training._rate(step, recipe) for step in range(50)]
    assert (rates[4], rates[24]) == (1.0, 0.5)
    assert rates[19] < 0.05
    assert (rates[0], rates[20]) == (0.2, 0.1)
    assert rates[49] < 0.02
    assert all(0 < rate <= 1 for rate in rates)
    short = recipe.scaled(10)
    assert [part.steps for part in short.rounds] == [4, 6]
    assert [training._rate(step, short) for step in (0, 4)] == [1.0, 0.5]


def test_without_teachers_only_labels_and_sentences_are_learned(shown, tmp_path, one_thread) -> None:
    examples, given = shown
    log: list[dict[str, float]] = []
    recipe = Recipe(rounds=(Round(steps=2, side=64),), images=4, of_kind=4, pictures=2, warm_up=1)
    weights = train(examples, recipe, folder=tmp_path, views=given["views"], told=log.append)
    assert log[-1]["appearance"] == log[-1]["likeness"] == 0
    assert log[-1]["text"] > 0
    assert not weights["text.text_projection"][:, SHARED:].any(), "sentences say nothing of how an image looks"


def test_the_last_steps_are_taken_with_the_statistics_that_are_exported(
    shown, tmp_path, monkeypatch, one_thread
) -> None:
    examples, given = shown
    recipe = Recipe(rounds=(Round(steps=4),), images=6, of_kind=4, pictures=2, warm_up=1, settled_share=0.5)
    seen: list[dict[str, torch.Tensor]] = []
    follow = training._Work._follow

    def remember(work, step) -> None:
        follow(work, step)
        seen.append({name: tensor.clone() for name, tensor in work.model.state_dict().items()})

    monkeypatch.setattr(training._Work, "_follow", remember)
    weights = train(examples, recipe, folder=tmp_path, checkpoint_every=1, **given)
    statistics = [name for name in weights if name.endswith(("running_mean", "running_var"))]
    assert statistics
    for name in statistics:
        assert not torch.equal(seen[0][name], seen[1][name]), "before, every batch moves them"
        assert torch.equal(seen[2][name], seen[3][name])
        assert torch.equal(weights[name], seen[3][name])
    assert not torch.equal(seen[2]["visual.trunk.conv_stem.weight"], seen[3]["visual.trunk.conv_stem.weight"])
