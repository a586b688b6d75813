"""Half precision is used where it is faithful, refused where it is not, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.base import Precision
from radcbir_core.encoders.torch import support, torch_encoder
from radcbir_core.encoders.torch.half_precision import FAITHFUL, choose_precision

INPUTS = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


def test_a_faithful_network_may_compute_in_half_precision() -> None:
    layer = torch.nn.Linear(192, 16)

    def encode(inputs: torch.Tensor, half: bool) -> torch.Tensor:
        with torch.inference_mode(), support.in_precision("cpu", half=half):
            return layer(inputs.flatten(1))

    precision = choose_precision(encode, INPUTS)
    assert precision.name == "float16"
    assert precision.half
    assert precision.least_cosine is not None
    assert FAITHFUL <= precision.least_cosine <= 1
    assert encode(INPUTS, half=True).dtype == torch.float16
    assert encode(INPUTS, half=False).dtype == torch.float32


def test_a_network_beyond_the_range_of_half_precision_stays_in_single() -> None:
    layer = torch.nn.Linear(192, 16)
    with torch.no_grad():
        layer.weight.mul_(1e7)

    def encode(inputs: torch.Tensor, half: bool) -> torch.Tensor:
        with torch.inference_mode(), support.in_precision("cpu", half=half):
            return layer(inputs.flatten(1))

    assert choose_precision(encode, INPUTS) == Precision("float32", 0.0)


@pytest.mark.parametrize(("angle", "name"), [(0.02, "float16"), (0.04, "float32")])
def test_the_least_faithful_image_decides(angle: float, name: str) -> None:
    # cos(0.02) = 0.9998, cos(0.04) = 0.9992
    def encode(inputs: torch.Tensor, half: bool) -> torch.Tensor:
        turned = angle if half else 0.0
        return torch.tensor([[1.0, 0.0], [np.cos(turned), np.sin(turned)]])

    precision = choose_precision(encode, INPUTS)
    assert precision.name == name
    assert precision.least_cosine == pytest.approx(np.cos(angle), abs=1e-6)


def test_on_a_cpu_nothing_is_measured(tiny: Path, images: list[np.ndarray]) -> None:
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    encoder.encode_images(images)
    assert encoder.precision == Precision("float32", None)
    assert load_encoder("pixels").precision == Precision()


def test_on_a_gpu_it_is_measured_once_and_used_for_images_alone(
    tiny: Path, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    shrinking = support.encode_shrinking

    def counted(*arguments: Any, half: bool = False, **options: Any) -> Any:
        asked.append(half)
        return shrinking(*arguments, half=half, **options)

    monkeypatch.setattr(torch_encoder, "encode_shrinking", counted)
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    single = encoder.encode_images(images)
    encoder = load_encoder(f"local-dir:{tiny}", device="cpu")
    # As the constructor leaves it for a GPU; here the CPU stands for one.
    encoder._precision_settled = False  # type: ignore[attr-defined]
    asked.clear()
    half = encoder.encode_images(images)
    encoder.encode_images(images)
    encoder.encode_texts(["CT of the head"])
    assert asked == [False, True, True, True, False]
    assert encoder.precision.half
    assert (single * half).sum(axis=1).min() > FAITHFUL
