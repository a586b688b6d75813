"""RadImageNet's ResNet-50, from the file its authors publish.

Owns the names that RadImageNet's ``ResNet50.pt`` gives the weights, its preprocessing, and the encoder: the pooled
features, 2048 numbers. The network itself is timm's, which computes what torchvision's
does, under the same names and bit for bit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.own_files import given_weights
from radcbir_core.encoders.files.weights import load_strictly, misfit, read_weights
from radcbir_core.encoders.torch.support import prepare_torchvision, quiet
from radcbir_core.encoders.torch.torch_encoder import Named, TorchEncoder
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    import torch

FAMILY = "radimagenet"
FILE = "ResNet50.pt"
ORIGIN = "where https://github.com/BMEII-AI/RadImageNet links its PyTorch models (RadImageNet_pytorch/ResNet50.pt)"
RECIPE = "radimagenet/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""
FEATURES: Final = 2048

# The authors put the children of torchvision's network, without its classifier, into a Sequential called backbone;
# those without weights (ReLU 2, max pooling 3, average pooling 8) have no names in the file.
_CHILDREN: Final = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}


def find(path: Path | None) -> Checkpoint:
    """The authors' file, given by its path or that of its folder.

    Raises:
        EncoderUnavailableError: No path is given: says where the file comes from and what to do with it.
        EncoderError: There is no such file.
    """
    weights = given_weights(path, encoder_id="radimagenet-resnet50", filename=FILE, origin=ORIGIN)
    name = f"ResNet50{weights.suffix}"
    return Checkpoint(family=FAMILY, files={name: weights}, weights=name)


class RadImageNetEncoder(TorchEncoder):
    """RadImageNet's ResNet-50 without its classifier, frozen, in float32.

    As its authors prepare images: both sides resized to 224, levels scaled to -1..1. They resize with OpenCV's bilinear
    interpolation of the nearest four pixels; here each pixel counts, which differs where an image is made smaller.

    Args:
        checkpoint: The authors' file.
        fit: Overrides the published fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The weights are not exactly those of this network.
    """

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        preprocessing = Preprocessing(
            size=(224, 224),
            fit="squash",
            interpolation="bilinear",
            color="RGB",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        )
        super().__init__(
            build_model(checkpoint),
            dimension=FEATURES,
            preprocessing=preprocessing.with_fit(fit),
            record={"recipe": RECIPE},
            configuration="weights",
            no_text="it was trained on images alone",
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._model(batch))


def build_model(checkpoint: Checkpoint) -> Any:
    """The ResNet-50 of timm with the file's weights and no classifier, on the CPU, in float32, evaluating.

    Raises:
        EncoderError: The weights are not exactly those of this network.
    """
    path = checkpoint.weights_path
    state = renamed_weights(read_weights(path), path=path)
    with quiet():
        prepare_torchvision()
        import timm
        import torch

        # The random weights that a new module starts with must not disturb the caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            model = timm.create_model("resnet50", pretrained=False, num_classes=0)
    load_strictly(model, state, path=path)
    return model.float().eval().requires_grad_(requires_grad=False)


def renamed_weights(state: Mapping[str, torch.Tensor], *, path: Path) -> dict[str, torch.Tensor]:
    """The weights under timm's names, which are torchvision's.

    Raises:
        EncoderError: A name is none of RadImageNet's.
    """
    renamed, others = {}, []
    for name, tensor in state.items():
        parts = re.fullmatch(r"backbone\.(\d)\.(.+)", name)
        if parts and parts[1] in _CHILDREN:
            renamed[f"{_CHILDREN[parts[1]]}.{parts[2]}"] = tensor
        else:
            others.append(name)
    if others:
        raise misfit(path, unexpected=others)
    return renamed
