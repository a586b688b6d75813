"""Torch encoders with a text tower: from texts to tokens to checked unit vectors.

Owns the :class:`TextTorchEncoder`: when a tokenizer is loaded, one thread at a time in it, and what is refused of its
tokens. What a family's tokenizer and text tower are is the family's.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.encoders.base import Float32Array, checked_texts
from radcbir_core.encoders.torch.support import first_line, quiet
from radcbir_core.encoders.torch.torch_encoder import BUILD_ERRORS, TorchEncoder
from radcbir_core.errors import EncoderError

if TYPE_CHECKING:
    import torch


class TextTorchEncoder(TorchEncoder):
    """A frozen torch network of a family whose models have text towers, though this one's tokenizer may be missing.

    Args:
        model: As of :class:`~radcbir_core.encoders.torch.torch_encoder.TorchEncoder`.
        no_text: Why this very model reads no texts; empty where it does.
        **options: As there.
    """

    def __init__(self, model: Any, *, no_text: str = "", **options: Any) -> None:
        super().__init__(model, no_text=no_text, **options)
        self.supports_text = not no_text
        self._tokenizer: Any = None
        self._tokenizer_lock = threading.Lock()

    def encode_texts(self, texts: Sequence[str]) -> Float32Array:
        """Texts as embeddings, (T, D) float32 of norm 1; what :meth:`truncated` reports is cut off.

        Raises:
            EncoderError: There is no text tower, a text is blank, or the tokenizer cannot be loaded or is not this
                model's.
        """
        wanted = checked_texts(texts)
        if not self.supports_text:
            return super().encode_texts(wanted)
        if not wanted:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._encoded(self._text_features, self._tokens(wanted))

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """For each text whether its end is beyond the model's context and so has no influence.

        Raises:
            EncoderError: There is no text tower, a text is blank, or the tokenizer cannot be loaded.
        """
        wanted = checked_texts(texts)
        if not self.supports_text:
            return super().truncated(wanted)
        with self._tokenizer_lock:
            self._ready_tokenizer()
            return [self._count_tokens(text) > self._context_length() for text in wanted]

    @abstractmethod
    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens on the device, (t, length), as (t, D) numbers that are not yet of norm 1."""

    @abstractmethod
    def _load_tokenizer(self) -> Any:
        """What makes tokens of texts; called once, when it is first needed."""

    @abstractmethod
    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        """Tokens of texts, (t, length), cut off at the context's end; called by one thread at a time."""

    @abstractmethod
    def _count_tokens(self, text: str) -> int:
        """How many tokens ``text`` has with all that the tokenizer adds, before anything is cut off."""

    @abstractmethod
    def _context_length(self) -> int:
        """How many tokens of a text the text tower reads."""

    def _vocabulary_size(self) -> int:
        """How many tokens the text tower knows; 0 where it does not say."""
        return 0

    def _tokens(self, texts: list[str]) -> torch.Tensor:
        # A tokenizer of transformers changes its own state while it works, so one thread at a time.
        with self._tokenizer_lock, quiet():
            self._ready_tokenizer()
            try:
                tokens = self._tokenized(texts)
            except BUILD_ERRORS as error:
                raise EncoderError(
                    f"Expected texts that the tokenizer can read, but {self.encoder_id}'s gave {first_line(error)}. "
                    "Check the tokenizer files of this model."
                ) from error
        words = self._vocabulary_size()
        if words and int(tokens.max()) >= words:
            raise EncoderError(
                f"Expected tokens below {words}, the size of {self.encoder_id}'s vocabulary, but its tokenizer gave "
                f"{int(tokens.max())}. Use the tokenizer files that belong to this model."
            )
        return tokens

    def _ready_tokenizer(self) -> None:
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer()
