"""A batch's truth against a slow reading of the claims, and its losses against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radcbir_core.synthetic.mini import losses
from radcbir_core.synthetic.mini.batches import Batches
from radcbir_core.synthetic.mini.sentences import Claim, anatomy_of, findings_of
from tests.core.synthetic.mini.examples import made_up


def verdict(claim: Claim, examples, row: int) -> bool | None:
    """True, false, or None for "cannot be said"."""
    answers = []
    if claim.modality is not None:
        answers.append(None if not examples.modality[row] else examples.modality[row] == claim.modality)
    if claim.anatomy is not None:
        known = anatomy_of(examples.anatomy[row])
        answers.append(None if not known else known == claim.anatomy)
    if claim.finding is not None:
        findings = findings_of(examples.pathologies[row])
        answers.append(None if not findings else (claim.finding in findings) != claim.negated)
    if False in answers:
        return False
    return None if None in answers else True


def test_truth_is_what_the_claims_say(monkeypatch) -> None:
    examples = made_up()
    batches = Batches(examples, images=18, of_kind=4)
    claims: list[Claim] = []
    said = batches._said

    def heard(row, generator):
        text, claim = said(row, generator)
        claims.append(claim)
        return text, claim

    monkeypatch.setattr(batches, "_said", heard)
    for seed in range(30):
        claims.clear()
        batch = batches.draw(np.random.default_rng(seed))
        assert not examples.validation[batch.rows].any()
        assert len(batch.texts) == len(batch.rows) == 16  # four kinds of four images
        for text, claim in enumerate(claims):
            for image, row in enumerate(batch.rows):
                expected = verdict(claim, examples, int(row))
                assert batch.true_of[text, image] == (expected is True)
                assert batch.open_for[text, image] == (expected is None)
        for place, row in enumerate(batch.rows):
            kind = (examples.modality[row], anatomy_of(examples.anatomy[row]))
            own = {(*kind, finding) for finding in findings_of(examples.pathologies[row]) if all(kind)}
            for label, shown, possible in zip(batches.labels, batch.shows[place], batch.possible[place], strict=True):
                assert shown == pytest.approx(1 / len(own) if label in own else 0)
                assert possible == (label[:2] == kind)
        for i, first in enumerate(batch.rows):
            for j, second in enumerate(batch.rows):
                kinds = [(examples.modality[r], anatomy_of(examples.anatomy[r])) for r in (first, second)]
                assert batch.same_kind[i, j] == (kinds[0] == kinds[1] and all(kinds[0]))
                a, b = (findings_of(examples.pathologies[r]) for r in (first, second))
                share = len(a & b) / len(a | b) if a & b and batch.same_kind[i, j] else 0
                assert batch.same_findings[i, j] == pytest.approx(share)


def test_a_batch_holds_several_labels_of_a_kind_evenly() -> None:
    examples = made_up(12)
    batches = Batches(examples, images=16, of_kind=8)
    both = 0
    for seed in range(40):
        batch = batches.draw(np.random.default_rng(seed))
        assert len(batch.rows) <= 16
        kinds = [(examples.modality[row], examples.anatomy[row]) for row in batch.rows]
        assert all(kinds.count(kind) <= 8 for kind in kinds)
        chest = [examples.pathologies[row] for row, kind in zip(batch.rows, kinds, strict=True) if kind[1] == "chest"]
        if len(chest) == 8:
            assert sorted(chest.count(label) for label in set(chest)) == [4, 4]
            both += 1
    assert both > 5


def test_a_batch_follows_from_its_generator() -> None:
    batches = Batches(made_up(), images=12, of_kind=4)
    one, same, other = (batches.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.rows, same.rows)
    assert one.texts == same.texts
    assert one.texts != other.texts


def soft_cross_entropy(logits: list[list[float]], targets: list[list[float]]) -> float:
    total, rows = 0.0, 0
    for line, wanted in zip(logits, targets, strict=True):
        if sum(wanted) == 0:
            continue
        normalizer = math.log(sum(math.exp(value) for value in line))
        total += -sum(t / sum(wanted) * (value - normalizer) for value, t in zip(line, wanted, strict=True))
        rows += 1
    return total / rows if rows else 0.0


def test_losses_against_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(torch.randn(5, 7, generator=generator), dim=1)
    texts = torch.nn.functional.normalize(torch.randn(4, 7, generator=generator), dim=1)
    true_of = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1]], dtype=torch.bool)
    open_for = torch.zeros_like(true_of)
    open_for[2, 4] = True
    scale = torch.tensor(3.0)
    loss = losses.text_image_loss(images, texts, scale, true_of=true_of, open_for=open_for)
    table = [[-1e4 if open_for[t, i] else 3.0 * float(texts[t] @ images[i]) for i in range(5)] for t in range(4)]
    forward = soft_cross_entropy(table, true_of.float().tolist())
    back = soft_cross_entropy([list(c) for c in zip(*table, strict=True)], true_of.T.float().tolist())
    assert float(loss) == pytest.approx((forward + back) / 2, rel=1e-5)

    alike = torch.tensor([[1, 0.5, 0, 0, 0], [0.5, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 1.0]])
    ignored = torch.zeros(5, 5, dtype=torch.bool)
    ignored[0, 3] = True
    loss = losses.image_image_loss(images, alike=alike, ignored=ignored)
    table = [
        [-1e4 if i == j or ignored[i, j] else float(images[i] @ images[j]) / losses.TEMPERATURE for j in range(5)]
        for i in range(5)
    ]
    wanted = [[0.0 if i == j or ignored[i, j] else float(alike[i, j]) for j in range(5)] for i in range(5)]
    assert float(loss) == pytest.approx(soft_cross_entropy(table, wanted), rel=1e-5)

    anchors = torch.nn.functional.normalize(torch.randn(3, 7, generator=generator), dim=1)
    shows = torch.tensor([[1, 0, 0], [0, 0.5, 0.5], [0, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    possible = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1], [0, 1, 0], [1, 0, 1]], dtype=torch.bool)
    loss = losses.anchor_loss(images, anchors, shows=shows, possible=possible)
    table = [
        [float(images[i] @ anchors[j]) / losses.TEMPERATURE if possible[i, j] else -1e4 for j in range(3)]
        for i in range(5)
    ]
    assert float(loss) == pytest.approx(soft_cross_entropy(table, shows.tolist()), rel=1e-5)

    features = torch.tensor([[1.0, 0], [0, 0], [0, 2.0]])
    predicted = torch.tensor([[1.0, 1], [5, 5], [0, -1.0]])
    assert float(losses.imitation_loss(predicted, features)) == pytest.approx(1 - (math.sqrt(0.5) - 1) / 2, rel=1e-5)
    assert float(losses.imitation_loss(predicted, torch.zeros(3, 2))) == 0
    assert float(losses.image_image_loss(images, alike=torch.eye(5), ignored=ignored)) == 0
