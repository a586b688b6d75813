"""Files that a person fetches by hand: found among what is given, or said where they come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from radcbir_core.encoders import find_checkpoint, load_encoder
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, Remedy
from tests.core.encoders.published import loaded


@pytest.mark.parametrize(
    ("encoder_id", "filename"),
    [
        ("medsam-vit-b", "medsam_vit_b.pth"),
        ("medclip", "pytorch_model.bin"),
        ("radimagenet-resnet50", "ResNet50.pt"),
    ],
)
def test_who_has_no_file_is_told_where_it_comes_from(
    encoder_id: str, filename: str, tmp_path: Path, no_network: Any
) -> None:
    for ask in (load_encoder, find_checkpoint):
        with pytest.raises(EncoderUnavailableError, match=re.escape(f"Expected {filename} from you, but")) as caught:
            ask(encoder_id)
        assert str(caught.value).endswith("and name the kit's folder as the encoder.")
        assert caught.value.remedy == Remedy("fetch_encoder", encoder_id, {"from": filename, "to": FOLDER})
    with pytest.raises(EncoderError, match=f"Expected {filename} in .*, but there is none. Name the file itself"):
        find_checkpoint(encoder_id, path=tmp_path)
    with pytest.raises(EncoderError, match=r"Expected a file or folder, but .* does not exist. Check the path."):
        find_checkpoint(encoder_id, path=tmp_path / "nowhere")
    torch.save({"a": torch.ones(1000)}, tmp_path / filename)
    (tmp_path / filename).write_bytes((tmp_path / filename).read_bytes()[:2000])
    with pytest.raises(EncoderError, match=r"is truncated or damaged"):
        loaded(find_checkpoint(encoder_id, path=tmp_path))
