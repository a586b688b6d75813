"""The losses, on batches small enough to compute by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from radcbir_core.synthetic.mini import losses


def test_likeness_by_hand() -> None:
    wanted = torch.nn.functional.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    images = torch.nn.functional.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    expected = np.mean(
        [(float(images[i] @ images[j]) - float(wanted[i] @ wanted[j])) ** 2 for i in range(5) for j in range(5)]
    )
    assert float(losses.likeness_loss(images, wanted)) == pytest.approx(expected, rel=1e-3)
    turned = wanted @ torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2)))[0]
    assert float(losses.likeness_loss(turned, wanted)) < 1e-9, "the same angles in other directions"
    # An image that the teachers say nothing of changes nothing for the others.
    quiet = torch.cat([wanted, torch.zeros(1, 4)])
    more = torch.cat([images, torch.ones(1, 4) / 2])
    assert torch.allclose(losses.likeness_loss(more, quiet), losses.likeness_loss(images, wanted))
    assert float(losses.likeness_loss(images, torch.zeros(5, 4))) == 0


def test_parts_of_an_embedding_are_balanced_where_their_norms_have_the_share() -> None:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(5, 8, generator=generator)
    further = torch.randn(5, 3, generator=generator)
    norms = further.norm(dim=1) / shared.norm(dim=1)
    expected = np.mean([math.log(float(norm) / 0.4) ** 2 for norm in norms])
    assert float(losses.balance_loss(shared, further, share=0.4)) == pytest.approx(expected, rel=1e-3)
    level = further / norms[:, None] * 0.4
    assert float(losses.balance_loss(7 * shared, 7 * level, share=0.4)) < 1e-9
    assert torch.isfinite(losses.balance_loss(torch.zeros(2, 8), torch.zeros(2, 3), share=0.4))


AXES = torch.eye(2)


def test_texts_and_images_by_hand() -> None:
    true = torch.tensor([[True, False], [False, True]])
    closed = torch.zeros(2, 2, dtype=torch.bool)
    loss = losses.text_image_loss(AXES, AXES, torch.tensor(2.0), true_of=true, open_for=closed)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2)))
    swapped = losses.text_image_loss(AXES, AXES.flip(0), torch.tensor(2.0), true_of=true, open_for=closed)
    assert float(swapped) == pytest.approx(2 + math.log(1 + math.exp(-2)))
    both = losses.text_image_loss(AXES, AXES, torch.tensor(0.0), true_of=torch.ones(2, 2).bool(), open_for=closed)
    assert float(both) == pytest.approx(math.log(2)), "two true pairs share the target"


def test_a_pair_that_is_open_counts_neither_way() -> None:
    true = torch.tensor([[True, False], [False, True]])
    loss = losses.text_image_loss(AXES, AXES.flip(0), torch.tensor(5.0), true_of=true, open_for=~true)
    assert float(loss) == pytest.approx(0, abs=1e-6), "nothing is left to mistake the image for"


def test_alike_images_by_hand() -> None:
    images = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    alike = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    loss = losses.image_image_loss(images, alike=alike, ignored=nothing)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1 / losses.TEMPERATURE)), rel=1e-3)
    assert float(losses.image_image_loss(images, alike=torch.eye(3), ignored=nothing)) == 0, "an image and itself"
    assert float(losses.image_image_loss(images, alike=alike, ignored=~nothing)) == 0


def test_anchors_of_what_an_image_could_show() -> None:
    anchors = torch.tensor([[1.0, 0], [0, 1], [0.6, 0.8]])
    shows = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
    possible = torch.tensor([[True, True, False], [True, True, True]])
    loss = losses.anchor_loss(AXES, anchors, shows=shows, possible=possible)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1 / losses.TEMPERATURE)), rel=1e-3)


def test_the_imitation_by_hand() -> None:
    wanted = torch.tensor([[2.0, 0], [0, 0], [0, 3]])
    predicted = torch.tensor([[5.0, 0], [7, 7], [1, 0]])
    assert float(losses.imitation_loss(predicted, wanted)) == pytest.approx(0.5), "one as wanted, one at a right angle"
    silent = losses.imitation_loss(predicted.requires_grad_(), torch.zeros(3, 2))
    silent.backward()
    assert float(silent.detach()) == 0


@pytest.mark.parametrize("name", ["image_image", "anchor"])
def test_a_batch_without_a_target_still_has_a_gradient(name) -> None:
    images = AXES.clone().requires_grad_()
    none = torch.zeros(2, 2)
    loss = (
        losses.image_image_loss(images, alike=none, ignored=none.bool())
        if name == "image_image"
        else losses.anchor_loss(images, AXES, shows=none, possible=~none.bool())
    )
    loss.backward()
    assert torch.equal(images.grad, none)
