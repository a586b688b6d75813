"""SigLIP's tokenizer, read from a spiece.model made by hand."""

from __future__ import annotations

import functools
import json
import re
import string
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.convert_slow_tokenizer import SpmConverter, import_protobuf

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.families.siglip_tokenizer import read_siglip_tokenizer
from radcbir_core.errors import EncoderError
from tests.core.encoders.families.test_transformers import SIGLIP_PROCESSOR, siglip, unit
from tests.core.encoders.published import write_folder

# The likelier a piece, the higher its score; the best sum of a word's pieces wins.
PIECES = [
    ("<unk>", 0.0), ("</s>", 0.0), ("\u2581chest", -2.0), ("\u2581", -3.0), ("chest", -4.0), ("\u2581x", -3.0),
    ("ray", -3.0), ("xray", -3.5), ("\u2581ct", -2.5), ("\u2581of", -2.0), ("\u2581the", -2.0), ("\u2581head", -4.0),
    ("he", -6.0), ("ad", -6.0),
]  # fmt: skip


def write_model(path: Path, *, model_type: int = 1, pieces: Any = PIECES) -> Path:
    model = import_protobuf().ModelProto()
    for place, (piece, score) in enumerate(pieces):
        added = model.pieces.add()
        added.piece, added.score = piece, score
        added.type = {0: 2, 1: 3}.get(place, 1)  # unknown, control, normal
    model.trainer_spec.model_type = model_type
    model.trainer_spec.unk_id = 0
    path.write_bytes(model.SerializeToString())
    return path


@functools.cache
def made() -> tuple[Any, Any]:
    """The tokenizer, and what the model alone makes of a text that is clean."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_model(Path(folder) / "spiece.model")
        return read_siglip_tokenizer(path), SpmConverter(SimpleNamespace(vocab_file=path)).converted()


def test_a_word_is_the_pieces_of_the_best_score(tmp_path: Path) -> None:
    tokenizer = read_siglip_tokenizer(write_model(tmp_path / "spiece.model"))
    # _x ray: -6; _ xray: -6.5.   _head: -4; _ he ad: -15.
    assert tokenizer("Chest X-ray.")["input_ids"] == [2, 5, 6, 1]
    assert tokenizer("CT  of\nthe HEAD!")["input_ids"] == [8, 9, 10, 11, 1]
    assert tokenizer("chest q")["input_ids"] == [2, 3, 0, 1]  # an unknown letter
    assert tokenizer("...")["input_ids"] == [1]


def test_filled_up_and_cut_off(tmp_path: Path) -> None:
    tokenizer = read_siglip_tokenizer(write_model(tmp_path / "spiece.model"))
    made = tokenizer(["ct", "ct of the head"], padding="max_length", truncation=True, max_length=4, return_tensors="pt")
    assert made["input_ids"].tolist() == [[8, 1, 1, 1], [8, 9, 10, 1]]
    assert tokenizer(["ct", "of"])["input_ids"] == [[8, 1], [9, 1]]


def cleaned(text: str) -> str:
    """A text as SigLIP was trained on it (big_vision, ``evaluators/proj/image_text/prompt_engineering.py``)."""
    return re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation))).strip()


@given(
    st.lists(st.sampled_from([*"chestxrayof Q\n\t.,-'!<>/\\]^[é中\u00a0", "</s>", "<unk>", "X-ray", "HEAD"])).map(
        "".join
    )
)
def test_texts_are_cleaned_as_in_training(text: str) -> None:
    tokenizer, plain = made()
    pieces = plain.encode(cleaned(text), add_special_tokens=False).ids
    assert tokenizer(text)["input_ids"] == [*pieces, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xff", "gave "), (None, "No such file"), (b"", "Expected a unigram model of SentencePiece, but")],
)
def test_what_is_no_such_file(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EncoderError, match=message):
        read_siglip_tokenizer(path)


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"gave model_type = 2"):
        read_siglip_tokenizer(write_model(tmp_path / "bpe.model", model_type=2))
    with pytest.raises(EncoderError, match=r"gave there is no piece </s>"):
        read_siglip_tokenizer(write_model(tmp_path / "endless.model", pieces=[PIECES[0], *PIECES[2:]]))


def test_a_folder_with_it(tmp_path: Path, no_network: Any) -> None:
    model = siglip(len(PIECES))
    folder = write_folder(tmp_path / "siglip", model, SIGLIP_PROCESSOR)
    write_model(folder / "spiece.model")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer"}))
    encoder = load_encoder(str(folder), device="cpu")
    assert encoder.supports_text
    tokens = torch.tensor([[2, 5, 6] + [1] * 9, [8, 9, 10, 11] + [1] * 8])
    with torch.no_grad():
        expected = unit(model.text_model(input_ids=tokens).pooler_output)
    found = encoder.encode_texts(["Chest X-ray", "CT of the head"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    assert encoder.truncated(["ct " * 11, "ct " * 12]) == [False, True]
