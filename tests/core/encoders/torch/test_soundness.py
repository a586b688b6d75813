"""Weights that cannot be right are refused wherever they are loaded; channels that died in training are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.torch.soundness import (
    FAR,
    KNOWN_FAULTS,
    MAGNIFIED,
    check_astray,
    check_numbers,
    has_norms,
    images_to_look_at,
    watched,
)
from radcbir_core.encoders.torch.torch_encoder import TorchEncoder
from radcbir_core.errors import EncoderError
from radcbir_core.synthetic.mini.network import WEIGHTS, export, new_model

NORM = "visual.trunk.blocks.2.1.dw_mid.bn"


@pytest.fixture(scope="module")
def estimated() -> dict[str, torch.Tensor]:
    """Random weights of the default encoder's network with the statistics of what they are given."""
    torch.manual_seed(0)
    model = new_model()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train().encode_image(torch.randn(32, 3, 128, 128) * torch.rand(32, 1, 1, 1) * 2)
    return model.state_dict()


@pytest.fixture
def folder(estimated, tmp_path: Path) -> Path:
    export(estimated, tmp_path / "made", documents={})
    (tmp_path / "made" / "kit.json").unlink()
    return tmp_path / "made"


def load_with(folder: Path, **changed: tuple[int, float]) -> TorchEncoder:
    """The encoder of a folder in whose weights some numbers are others: NAME = (row, value)."""
    state = load_file(folder / WEIGHTS)
    for name, (row, value) in changed.items():
        state[name][row] = value
    save_file(state, folder / WEIGHTS)
    encoder = load_encoder(f"local-dir:{folder}", device="cpu")
    assert isinstance(encoder, TorchEncoder)
    return encoder


def test_a_norm_that_divides_by_nothing_is_refused_at_load(folder: Path) -> None:
    load_with(folder)
    # What the channel is given differs by some tenths: over the root of 1e-5 these are hundreds.
    with pytest.raises(EncoderError) as caught:
        load_with(folder, **{f"{NORM}.running_var": (3, 0.0)})
    assert str(caught.value).startswith(
        "Expected batch norms with the statistics of what they are given, but in made visual.trunk."
    )
    assert "deviations from its mean (at most 30), in 12 of 12 images too much" in str(caught.value)


@pytest.mark.parametrize("variance", [0.0, 1e-30])
def test_a_channel_that_died_in_training_is_not_refused(folder: Path, variance: float) -> None:
    """As in the published EfficientNet-lite: no filter is left, the mean is 0, and the weight is that of the others."""
    convolution = f"{NORM.removesuffix('bn')}conv.weight"
    encoder = load_with(
        folder,
        **{convolution: (3, 0.0), f"{NORM}.running_mean": (3, 0.0), f"{NORM}.running_var": (3, variance)},
    )
    norm = encoder._model.get_submodule(NORM)
    assert norm.running_var[3] == pytest.approx(variance)
    assert norm.weight[3] / torch.sqrt(norm.running_var[3] + norm.eps) > 300, "it would multiply, were it not dead"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("text.positional_embedding", float("nan"), "finite numbers, but text.positional_embedding of made has 128 of"),
        ("visual.trunk.bn1.weight", float("inf"), "finite numbers, but visual.trunk.bn1.weight of made has 1 of 32"),
        (f"{NORM}.running_mean", float("nan"), f"finite numbers, but {NORM}.running_mean of made has 1 of 192 that"),
        (f"{NORM}.running_var", -0.5, f"of at least 0, but {NORM}.running_var of made goes down to -0.5. Fetch or"),
    ],
)
def test_what_is_no_number_or_no_variance_is_refused_at_load(folder: Path, name: str, value: float, said: str) -> None:
    with pytest.raises(EncoderError) as caught:
        load_with(folder, **{name: (1, value)})
    assert said in str(caught.value)


def test_infinities_in_masks_are_no_fault() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2, 2), float("-inf")).triu(1))
    check_numbers(model, encoder_id="masked")


def test_how_far_it_is_is_what_a_slow_count_gives() -> None:
    torch.manual_seed(1)
    convolution, norm, last = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm1d(4)
    for module in (norm, last):
        module.running_mean.normal_()
        module.running_var.uniform_(0.001, 0.02)
        nn.init.uniform_(module.weight, -2, 2)
    model = nn.Sequential(convolution, norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last).eval()
    images = torch.randn(5, 3, 6, 6)
    with torch.no_grad(), watched(model) as found:
        for part in images.split(2):
            model(part)
    given = convolution(images).detach().double().numpy()
    then = norm(torch.from_numpy(given).float()).detach().mean((2, 3)).double().numpy()
    wanted, names, magnified = [], [], []
    for image in range(5):
        furthest = (-1.0, "")
        for name, module, values in (("1", norm, given[image]), ("4", last, then[image][:, None, None])):
            weights = np.abs(module.weight.detach().double().numpy())
            for channel in range(4):
                mean, variance = float(module.running_mean[channel]), float(module.running_var[channel])
                deviation = np.sqrt(variance + module.eps)
                magnified.append(weights[channel] / deviation >= MAGNIFIED)
                counted = np.sqrt(np.mean(((values[channel] - mean) / deviation) ** 2)) if magnified[-1] else 0
                furthest = max(furthest, (float(counted), name))
        wanted.append(furthest[0])
        names.append(furthest[1])
    assert {True, False} == set(magnified)
    np.testing.assert_allclose(found[0].furthest, wanted, rtol=1e-4)
    assert found[0].norms == names
    with watched(model) as found:
        pass
    assert len(found[0].furthest) == 0
    assert not norm._forward_hooks, "nothing is left behind"


def test_numbers_that_overflow_are_as_far_as_can_be() -> None:
    norm = nn.BatchNorm1d(1).eval()
    norm.running_mean.fill_(1)
    norm.running_var.fill_(1e-3)
    with watched(norm) as found:
        norm(torch.tensor([[1.0], [float("nan")], [float("inf")]]))
    assert (found[0].furthest > FAR).tolist() == [False, True, True]
    check_astray(found[0], encoder_id="x", share=0.7)
    with pytest.raises(EncoderError, match=r"but in x BatchNorm1d is given .* in 2 of 3 images too much"):
        check_astray(found[0], encoder_id="x", share=0.6)


def test_random_weights_are_taken_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = new_model()
    assert not has_norms(model)
    export(model.state_dict(), tmp_path, documents={})
    assert not has_norms(nn.Linear(2, 2))
    assert has_norms(load_encoder("radcbir-mini", device="cpu")._model)


def test_the_pictures_are_the_same_everywhere() -> None:
    pictures = images_to_look_at()
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}
    heads = pictures[6:]
    assert [picture.shape for picture in heads] == [(224, 224)] * 6
    assert len({picture.tobytes() for picture in heads}) == 6
    for picture in heads:
        assert picture[0].max() == 0
        assert picture[112, 112] not in (0, 240)
        assert picture[9].max() == 240


def test_a_known_fault_is_that_of_the_committed_weights_and_is_found() -> None:
    """With new weights the exception goes: this fails until its line, and what the documents say of it, are out."""
    encoder = load_encoder("radcbir-mini", device="cpu")
    assert list(KNOWN_FAULTS) == [encoder.weights_digest]
    assert isinstance(encoder, TorchEncoder)
    with pytest.raises(EncoderError, match=r"but in radcbir-mini visual\.trunk"):
        check_astray(encoder.astray(images_to_look_at()), encoder_id=encoder.encoder_id)
