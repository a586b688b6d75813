"""MedSAM: its authors' file, made with random weights, and what it gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from radcbir_core.encoders import Encoder, find_checkpoint
from radcbir_core.encoders.families.medsam import VIT_B, image_encoder_weights
from radcbir_core.encoders.torch.support import prepare_torchvision
from radcbir_core.errors import EncoderError
from tests.core.encoders.published import SEGMENT_ANYTHING_NAMES, lively, loaded, renamed, unit

prepare_torchvision()
import transformers  # noqa: E402

SMALL_SAM = {
    **VIT_B, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64, "image_size": 64,
    "window_size": 2, "global_attn_indexes": [1], "output_channels": 24,
}  # fmt: skip


def left_out() -> dict[str, torch.Tensor]:
    """What segment_anything calls the weights of SAM's other parts; the shapes are no matter."""
    attention = [f"{layer}.{part}" for layer in ("layers.0", "layers.1") for part in
                 ("self_attn", "cross_attn_token_to_image", "cross_attn_image_to_token")]  # fmt: skip
    linear = [
        *(f"mask_decoder.transformer.{place}.{part}_proj" for place in (*attention, "final_attn_token_to_image")
          for part in "qkv"),
        *(f"mask_decoder.transformer.{place}.out_proj" for place in (*attention, "final_attn_token_to_image")),
        *(f"mask_decoder.transformer.layers.{layer}.norm{norm}" for layer in (0, 1) for norm in (1, 2, 3, 4)),
        *(f"mask_decoder.transformer.layers.{layer}.mlp.lin{part}" for layer in (0, 1) for part in (1, 2)),
        "mask_decoder.transformer.norm_final_attn",
        *(f"mask_decoder.output_upscaling.{place}" for place in (0, 1, 3)),
        *(f"mask_decoder.output_hypernetworks_mlps.{head}.layers.{layer}" for head in range(4) for layer in range(3)),
        *(f"mask_decoder.iou_prediction_head.layers.{layer}" for layer in range(3)),
        *(f"prompt_encoder.mask_downscaling.{place}" for place in (0, 1, 3, 4, 6)),
    ]  # fmt: skip
    names = [f"{name}.{kind}" for name in linear for kind in ("weight", "bias")]
    names += ["mask_decoder.iou_token.weight", "mask_decoder.mask_tokens.weight"]
    names += [f"prompt_encoder.point_embeddings.{place}.weight" for place in range(4)]
    names += ["prompt_encoder.not_a_point_embed.weight", "prompt_encoder.no_mask_embed.weight"]
    names += ["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    return {name: torch.ones(1) for name in names}


class TestMedSam:
    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, Any]:
        model = lively(lambda: transformers.SamVisionModel(transformers.SamVisionConfig(**SMALL_SAM)))
        path = tmp_path / "medsam_vit_b.pth"
        torch.save({**renamed(model.state_dict(), SEGMENT_ANYTHING_NAMES), **left_out()}, path)
        return path, model

    def test_it_gives_the_mean_of_sam_s_map(self, made: tuple[Path, Any], images: Any, no_network: Any) -> None:
        path, model = made
        for given in (path, path.parent):
            encoder = loaded(find_checkpoint("medsam-vit-b", path=given), vision_config=SMALL_SAM)
            assert isinstance(encoder, Encoder)
            processor = transformers.SamImageProcessorPil(
                size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}
            )
            rgb = [Image.fromarray(image).convert("RGB") for image in images]
            inputs = torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in rgb])
            prepared = np.stack([encoder.prepare(image) for image in images])
            np.testing.assert_allclose(prepared, inputs.numpy(), rtol=0, atol=2e-6)
            with torch.no_grad():
                expected = unit(model(inputs).last_hidden_state.mean(dim=(2, 3)))
            np.testing.assert_allclose(encoder.encode_images(images), expected, rtol=0, atol=2e-6)
            assert np.abs(expected[0] - expected[1]).max() > 1e-3
            assert not encoder.supports_text

    def test_a_stranger_s_weight_is_an_error(self, made: tuple[Path, Any]) -> None:
        path, _ = made
        state = torch.load(path)
        for name in (
            "mask_decoder.surprise",
            "image_encoder.blocks.7.norm1.weight",
            "prompt_encoder.point_embeddings.4.weight",
        ):
            torch.save({**state, name: torch.ones(2)}, path)
            with pytest.raises(EncoderError, match=r"has 1 unexpected"):
                loaded(find_checkpoint("medsam-vit-b", path=path), vision_config=SMALL_SAM)
        del state["image_encoder.neck.2.weight"]
        torch.save(state, path)
        with pytest.raises(EncoderError, match=r"has 1 missing"):
            loaded(find_checkpoint("medsam-vit-b", path=path), vision_config=SMALL_SAM)

    def test_names_and_shapes_at_true_size(self) -> None:
        """What find_checkpoint says fits SAM's ViT-B exactly; nothing is computed."""
        with torch.device("meta"):
            model = transformers.SamVisionModel(transformers.SamVisionConfig(**VIT_B))
        state = {name: tensor.to("meta") for name, tensor in model.state_dict().items()}
        published = {}
        for name, tensor in state.items():
            theirs = name
            for pattern, replacement in SEGMENT_ANYTHING_NAMES:
                theirs = re.sub(pattern, replacement, theirs)
            published[theirs] = tensor
        assert published["image_encoder.patch_embed.proj.weight"].shape == (768, 3, 16, 16)
        assert published["image_encoder.pos_embed"].shape == (1, 64, 64, 768)
        assert published["image_encoder.blocks.0.attn.rel_pos_h"].shape == (27, 64)
        assert published["image_encoder.blocks.11.attn.rel_pos_h"].shape == (127, 64)
        assert published["image_encoder.neck.2.weight"].shape == (256, 256, 3, 3)
        assert len(published) == 177
        back = image_encoder_weights({**published, **left_out()}, path=Path("medsam_vit_b.pth"))
        assert {name: tensor.shape for name, tensor in back.items()} == {n: t.shape for n, t in state.items()}
        assert sum(tensor.numel() for tensor in back.values()) == 89_670_912
