"""The network of radcbir-mini and the folder it becomes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_file
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.network import (
    APPEARANCE,
    MODEL,
    PREPROCESSING,
    SHARED,
    WEIGHTS,
    export,
    new_model,
    tokenizer,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return new_model()


def test_images_and_sentences_meet_in_the_shared_dimensions(model) -> None:
    model.eval()
    with torch.no_grad():
        image = model.encode_image(torch.rand(1, 3, SIDE, SIDE))
        text = model.encode_text(tokenizer()(["CT of the head"]))
    assert image.shape == text.shape == (1, SHARED + APPEARANCE)
    assert not text[:, SHARED:].any(), "a sentence says nothing of how an image looks"
    assert image[:, SHARED:].any()


def test_weights_follow_from_torchs_random_numbers(model) -> None:
    torch.manual_seed(0)
    again = new_model()
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_tokens_fill_the_context() -> None:
    tokens = tokenizer()(["a", "word " * 100])
    assert tokens.shape == (2, MODEL["text_cfg"]["context_length"])


def test_the_folder_lists_its_files_and_holds_half_precision(model, tmp_path) -> None:
    export(model.state_dict(), tmp_path, documents={"NOTE.md": b"said"})
    assert (tmp_path / "NOTE.md").read_bytes() == b"said"
    written = load_file(tmp_path / WEIGHTS)
    kinds = {name: value.dtype for name, value in written.items()}
    in_single = {name for name, kind in kinds.items() if kind == torch.float32}
    assert in_single == {name for name in kinds if name.endswith(("running_mean", "running_var"))}
    assert set(kinds.values()) == {torch.float16, torch.float32, torch.int64}
    assert written.keys() == model.state_dict().keys()
    configuration = json.loads((tmp_path / "open_clip_config.json").read_text())
    assert configuration == {"model_cfg": json.loads(json.dumps(dict(MODEL))), "preprocess_cfg": dict(PREPROCESSING)}
    kit = json.loads((tmp_path / "kit.json").read_text())
    assert all(digest_file(tmp_path / name) == digest for name, digest in kit["files"].items())
    encoder = load_encoder(f"local-dir:{tmp_path}", device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (90, 60), dtype=np.uint8)
    assert np.linalg.norm(encoder.encode_images([image])) == pytest.approx(1, abs=1e-5)


def test_what_half_precision_cannot_hold_is_written_in_single(model, tmp_path) -> None:
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    norm = "visual.trunk.blocks.3.4.dw_mid.bn"
    state[f"{norm}.running_var"][:2] = torch.tensor([1e-9, 3e5])
    state[f"{norm.removesuffix('bn')}conv.weight"][:] = 0
    state["text.positional_embedding"][0, 0] = 1e6
    export(state, tmp_path, documents={})
    written = load_file(tmp_path / WEIGHTS)
    assert torch.equal(written[f"{norm}.running_var"], state[f"{norm}.running_var"])
    assert torch.equal(written["text.positional_embedding"], state["text.positional_embedding"])
    assert written["visual.trunk.conv_stem.weight"].dtype == torch.float16


def test_weights_that_are_not_sound_become_no_folder(model, tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 128, 128), dtype=np.uint8)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["logit_scale"].fill_(float("nan"))
    with pytest.raises(EncoderError, match="Expected weights that are finite numbers, but logit_scale of what was tr"):
        export(state, tmp_path / "a", documents={})
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["visual.trunk.bn1.running_var"][2], state["visual.trunk.bn1.running_mean"][2] = 0, 1
    with pytest.raises(EncoderError, match=r"in what was trained trunk\..* in 40 of 40 images too much"):
        export(state, tmp_path / "b", documents={}, look_at=images)
    assert not list(tmp_path.iterdir())
    # The same channel, dead: nothing comes out of its filter, whatever the image.
    state["visual.trunk.conv_stem.weight"][2], state["visual.trunk.bn1.running_mean"][2] = 0, 0
    export(state, tmp_path / "c", documents={}, look_at=images)
