"""RadImageNet's ResNet-50: its authors' file, made with random weights, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import Encoder, find_checkpoint
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import EncoderError
from tests.core.encoders.published import lively, loaded, unit

prepare_torchvision()
import torchvision  # noqa: E402


class TestRadImageNet:
    @staticmethod
    def write(path: Path) -> Any:
        model = lively(lambda: torchvision.models.resnet50(weights=None), spread=0.05)
        # As RadImageNet's authors build it.
        backbone = torch.nn.Sequential(*list(model.children())[:9])
        torch.save({f"backbone.{name}": value for name, value in backbone.state_dict().items()}, path)
        return backbone

    def test_it_gives_the_pooled_features(self, tmp_path: Path, images: list[np.ndarray], no_network: Any) -> None:
        """At its true size, 24 million parameters."""
        backbone = self.write(tmp_path / "ResNet50.pt")
        encoder = loaded(find_checkpoint("radimagenet-resnet50", path=tmp_path))
        assert isinstance(encoder, Encoder)
        few = images[:3]
        squashed = [
            Image.fromarray(image).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR) for image in few
        ]
        inputs = torch.tensor(np.stack([(np.asarray(image) - 127.5) * 2 / 255 for image in squashed])).permute(
            0, 3, 1, 2
        )
        np.testing.assert_allclose(
            np.stack([encoder.prepare(image) for image in few]), inputs.float().numpy(), rtol=0, atol=1e-6
        )
        with torch.no_grad():
            expected = unit(backbone(inputs.float()).flatten(1))
        found = encoder.encode_images(few)
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
        assert found.shape == (3, 2048)
        assert np.abs(expected[0] - expected[1]).max() > 1e-4

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda state: state.update({"backbone.9.weight": torch.ones(2)}), "has 1 unexpected .backbone.9.weight"),
            (lambda state: state.update({"fc.weight": torch.ones(2)}), "has 1 unexpected .fc.weight"),
            (lambda state: state.pop("backbone.4.0.conv1.weight"), "has 1 missing .layer1.0.conv1.weight"),
            (lambda state: state.update({"backbone.0.weight": torch.ones(64, 3, 3, 3)}), "instead of .64, 3, 7, 7"),
        ],
    )
    def test_other_weights_are_refused(
        self, change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
    ) -> None:
        with torch.device("meta"):
            model = torch.nn.Sequential(*list(torchvision.models.resnet50(weights=None).children())[:9])
        state = {f"backbone.{name}": torch.zeros(value.shape) for name, value in model.state_dict().items()}
        change(state)
        torch.save(state, tmp_path / "ResNet50.pt")
        with pytest.raises(EncoderError, match=message):
            loaded(find_checkpoint("radimagenet-resnet50", path=tmp_path / "ResNet50.pt"))
