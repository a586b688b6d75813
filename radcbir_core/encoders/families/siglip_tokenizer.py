"""SigLIP's tokenizer, from its ``spiece.model``, without the sentencepiece package.

Owns SigLIP's cleaning of a text: lower case, no punctuation, single spaces (transformers' ``SiglipTokenizer``, which
needs sentencepiece, does the same). The file is read by transformers' converter, which does not; other models'
tokenizers are transformers' business altogether.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from radcbir_core.encoders.torch.support import first_line, quiet
from radcbir_core.errors import EncoderError

FILE = "spiece.model"
END = "</s>"
_CLASSES = ("SiglipTokenizer", "SiglipTokenizerFast")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_UNIGRAM = 1


def is_siglips(tokenizer_config: Mapping[str, Any], *, model_type: str) -> bool:
    """Whether a ``tokenizer_config.json`` names SigLIP's own tokenizer.

    Example:
        >>> is_siglips({"tokenizer_class": "SiglipTokenizer"}, model_type="siglip")
        True
        >>> is_siglips({"tokenizer_class": "GemmaTokenizer"}, model_type="siglip")
        False
    """
    return model_type == "siglip" and tokenizer_config.get("tokenizer_class") in _CLASSES


def cleaned(text: str) -> str:
    """A text as SigLIP was trained on it.

    Example:
        >>> cleaned(" Chest X-ray,  normal. ")
        'chest xray normal'
    """
    return re.sub(r"\s+", " ", text.lower().translate(_NO_PUNCTUATION)).strip()


class SiglipTokenizer:
    """Texts as SigLIP's token ids, called as a tokenizer of transformers is.

    Args:
        path: Of ``spiece.model``.

    Raises:
        EncoderError: It is no unigram model of SentencePiece's.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = _read(path)
        self._end = self._tokenizer.token_to_id(END)

    def __call__(
        self,
        text: str | list[str],
        *,
        padding: str | bool = False,
        truncation: bool = False,
        max_length: int = 0,
        return_tensors: str | None = None,
        verbose: bool = True,  # noqa: ARG002 - others warn
    ) -> dict[str, Any]:
        """Token ids under ``input_ids``: a list for one text; for several a list of lists, or a tensor."""
        if isinstance(text, str):
            return {"input_ids": self._ids(text, truncation=truncation, max_length=max_length)}
        rows = [self._ids(one, truncation=truncation, max_length=max_length) for one in text]
        if padding == "max_length":
            # SigLIP fills up with the end's own token.
            rows = [row + [self._end] * (max_length - len(row)) for row in rows]
        if return_tensors is None:
            return {"input_ids": rows}
        import torch

        return {"input_ids": torch.tensor(rows)}

    def _ids(self, text: str, *, truncation: bool, max_length: int) -> list[int]:
        ids = list(self._tokenizer.encode(cleaned(text), add_special_tokens=False).ids)
        kept = ids[: max_length - 1] if truncation else ids
        return [*kept, self._end]


def _read(path: Path) -> Any:
    try:
        with quiet():
            tokenizer = _built(path)
    except Exception as error:
        # Neither package has a base class for its errors.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise _refused(path, reason) from error
    if isinstance(tokenizer, str):
        raise _refused(path, tokenizer)
    return tokenizer


def _built(path: Path) -> Any:
    """A tokenizer of the ``tokenizers`` package, or what is wrong with the model."""
    from transformers.convert_slow_tokenizer import SpmConverter

    converter = SpmConverter(SimpleNamespace(vocab_file=path))
    if converter.proto.trainer_spec.model_type != _UNIGRAM:
        return f"model_type = {converter.proto.trainer_spec.model_type}"
    tokenizer = converter.converted()
    return tokenizer if tokenizer.token_to_id(END) is not None else f"there is no piece {END}"


def _refused(path: Path, reason: str) -> EncoderError:
    return EncoderError(f"Expected a unigram model of SentencePiece, but {path} gave {reason}. Fetch or copy it again.")
