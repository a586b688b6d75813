"""Torch encoders with a text tower: what is refused of texts and tokens. What they give is in test_torch_encoder."""

from __future__ import annotations

import pytest

from radcbir_core.errors import EncoderError
from tests.core.encoders.torch.test_torch_encoder import Sides


@pytest.mark.parametrize("text", ["", "  \n"])
def test_blank_texts_are_refused(text: str) -> None:
    encoder = Sides()
    for ask in (encoder.encode_texts, encoder.truncated):
        with pytest.raises(EncoderError, match=r"Expected a text with at least one word, but texts\[1\] = "):
            ask(["chest", text])
        with pytest.raises(TypeError, match="Expected a sequence of texts, but texts = one str"):
            ask("chest")


def test_an_encoder_without_a_text_tower_says_why() -> None:
    encoder = Sides(no_text="it was trained on images alone")
    assert not encoder.supports_text
    for ask in (encoder.encode_texts, encoder.truncated):
        with pytest.raises(EncoderError, match=r"for 1 text, but encoder = sides: it was trained on images alone"):
            ask(["chest"])


def test_a_tokenizer_that_is_not_this_models(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Sides()
    with pytest.raises(EncoderError, match=r"Expected tokens below 26, the size of sides's vocabulary, but .* gave 27"):
        encoder.encode_texts(["a|"])
    with pytest.raises(EncoderError, match="Expected texts that the tokenizer can read, but sides's gave "):
        encoder.encode_texts(["a", "ab"])
