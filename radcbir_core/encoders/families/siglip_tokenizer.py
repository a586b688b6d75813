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


def read_siglip_tokenizer(path: Path) -> Any:
    """A tokenizer of transformers that cleans a text as SigLIP was trained on it, and fills up with the end's token.

    Args:
        path: Of ``spiece.model``.

    Raises:
        EncoderError: It is no unigram model of SentencePiece's.
    """
    try:
        with quiet():
            from transformers.convert_slow_tokenizer import SpmConverter

            converter = SpmConverter(SimpleNamespace(vocab_file=path))
            kind = converter.proto.trainer_spec.model_type
            tokenizer = converter.converted() if kind == _UNIGRAM else None
    except Exception as error:
        # Neither package has a base class for its errors.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise _refused(path, reason) from error
    if tokenizer is None:
        raise _refused(path, f"model_type = {kind}")
    end = tokenizer.token_to_id(END)
    if end is None:
        raise _refused(path, f"there is no piece {END}")

    # The parts of a tokenizer as transformers' converter has them: of the very package that it builds with.
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import Regex, normalizers, processors

    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(Regex(f"[{re.escape(string.punctuation)}]"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            tokenizer.normalizer,
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, end)])
    # A text that says "</s>" is punctuation and an s, as it was in training.
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=END, padding_side="right", split_special_tokens=True
    )


def _refused(path: Path, reason: str) -> EncoderError:
    return EncoderError(f"Expected a unigram model of SentencePiece, but {path} gave {reason}. Fetch or copy it again.")
