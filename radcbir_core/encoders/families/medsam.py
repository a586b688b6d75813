"""MedSAM, from the file its authors publish.

Owns the names that ``medsam_vit_b.pth`` gives the weights of SAM's image encoder, and the encoder: the image embedding,
mean over space, as Denner et al. computed it. The rest of the file, which segments, is left out by name. The network
itself is transformers' ``SamVisionModel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.families.transformers import load_model
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.own_files import given_weights
from radcbir_core.encoders.files.weights import misfit, read_weights
from radcbir_core.encoders.torch.support import first_line, prepare_torchvision, quiet
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, Named, TorchEncoder
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

if TYPE_CHECKING:
    import torch

FAMILY = "medsam"
FILE = "medsam_vit_b.pth"
ORIGIN = "where https://github.com/bowang-lab/MedSAM links it"
RECIPE = "medsam/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""

VIT_B: Final[dict[str, Any]] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "mlp_dim": 3072,
    "image_size": 1024,
    "patch_size": 16,
    "output_channels": 256,
    "global_attn_indexes": [2, 5, 8, 11],
    "window_size": 14,
    "use_rel_pos": True,
    "use_abs_pos": True,
    "qkv_bias": True,
    "layer_norm_eps": 1e-6,
}
"""SAM's ViT-B image encoder, as transformers' ``SamVisionConfig`` names its sizes."""

# segment_anything's names → transformers'; see transformers' own convert_sam_to_hf.py.
_RENAMED = (
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.blocks\.(\d+)\.norm([12])\.", r".layers.\1.layer_norm\2."),
    (r"\.blocks\.", ".layers."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
)
_ATTENTION = (
    r"(layers\.[01]\.(self_attn|cross_attn_token_to_image|cross_attn_image_to_token)|final_attn_token_to_image)"
)
# Every weight of the prompt encoder and the mask decoder, which make no embedding.
_LEFT_OUT = re.compile(
    "|".join(
        (
            r"prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix",
            r"prompt_encoder\.(point_embeddings\.[0-3]|not_a_point_embed|no_mask_embed)\.weight",
            r"prompt_encoder\.mask_downscaling\.[01346]\.(weight|bias)",
            r"mask_decoder\.(iou_token|mask_tokens)\.weight",
            rf"mask_decoder\.transformer\.{_ATTENTION}\.(q|k|v|out)_proj\.(weight|bias)",
            r"mask_decoder\.transformer\.layers\.[01]\.(norm[1-4]|mlp\.lin[12])\.(weight|bias)",
            r"mask_decoder\.transformer\.norm_final_attn\.(weight|bias)",
            r"mask_decoder\.output_upscaling\.[013]\.(weight|bias)",
            r"mask_decoder\.(output_hypernetworks_mlps\.[0-3]|iou_prediction_head)\.layers\.[0-2]\.(weight|bias)",
        )
    )
)


def find(path: Path | None) -> Checkpoint:
    """The authors' file, given by its path or that of its folder.

    Raises:
        EncoderUnavailableError: No path is given: says where the file comes from and what to do with it.
        EncoderError: There is no such file.
    """
    weights = given_weights(
        path,
        encoder_id="medsam-vit-b",
        filename=FILE,
        origin=ORIGIN,
    )
    name = f"medsam_vit_b{weights.suffix}"
    return Checkpoint(family=FAMILY, files={name: weights}, weights=name, recipe={"vision_config": VIT_B})


class MedSamEncoder(TorchEncoder):
    """MedSAM's image encoder, frozen, in float32: 256 numbers, the mean of its map over space.

    Images are prepared as SAM's are, which is what Denner et al. did: longest side 1024, ImageNet's mean and standard
    deviation, zeros below and to the right. MedSAM's authors squash the image and scale it to 0..1 instead.

    Args:
        checkpoint: The authors' file, with the sizes of the network in its recipe.
        fit: Overrides the published fit.
        **named: As of every :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.

    Raises:
        EncoderError: The weights are not exactly those of this network.
    """

    def __init__(self, checkpoint: Checkpoint, *, fit: Fit | None = None, **named: Unpack[Named]) -> None:
        sizes = checkpoint.recipe.get("vision_config", VIT_B)
        side = int(sizes["image_size"])
        preprocessing = Preprocessing(
            size=(side, side),
            fit="pad",
            interpolation="bilinear",
            color="RGB",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            fill=None,
            anchor="corner",
            rounding="transformers",
        )
        super().__init__(
            build_model(checkpoint, sizes),
            dimension=int(sizes["output_channels"]),
            preprocessing=preprocessing.with_fit(fit),
            record={"recipe": RECIPE, "model": dict(sizes)},
            configuration="weights",
            no_text="it was trained on images alone",
            **named,
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", self._model(batch).last_hidden_state.mean(dim=(2, 3)))


def build_model(checkpoint: Checkpoint, sizes: Mapping[str, Any]) -> Any:
    """SAM's image encoder with the file's weights, on the CPU, in float32 and evaluation mode.

    Raises:
        EncoderError: The weights are not exactly those of this network.
    """
    path = checkpoint.weights_path
    state = image_encoder_weights(read_weights(path), path=path)
    with quiet():
        prepare_torchvision()
        try:
            from transformers import SamVisionConfig, SamVisionModel

            config = SamVisionConfig(**sizes)
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected the sizes of a SAM image encoder, but the recipe beside {path} gave {first_line(error)}. "
                "Make the folder again."
            ) from error
    return load_model(SamVisionModel, config, state, path=path)


def image_encoder_weights(state: Mapping[str, torch.Tensor], *, path: Path) -> dict[str, torch.Tensor]:
    """The weights of the image encoder under transformers' names.

    Raises:
        EncoderError: A name is neither one of the image encoder nor one of the parts that are left out.
    """
    encoder, others = {}, []
    for name, tensor in state.items():
        if name.startswith("image_encoder."):
            renamed = name
            for pattern, replacement in _RENAMED:
                renamed = re.sub(pattern, replacement, renamed)
            encoder[renamed] = tensor
        elif not _LEFT_OUT.fullmatch(name):
            others.append(name)
    if others:
        raise misfit(path, unexpected=others)
    return encoder
