"""Encoders: from an image, or for some from a text, to a unit vector.

Owns what an encoder is (:mod:`~radcbir_core.encoders.base`), which ones there are
(:mod:`~radcbir_core.encoders.entries`), how a name becomes one (:mod:`~radcbir_core.encoders.registry`) and one module
a family. It must not know collections, and reads image files only as pixels that are already decoded. Importing it is
quick: torch and open_clip come with the first encoder that needs them.
"""

from radcbir_core.encoders.base import Encoder, Preprocessing
from radcbir_core.encoders.entries import EncoderEntry
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.registry import (
    encoder_id_of,
    find_checkpoint,
    known_encoders,
    load_checkpoint,
    load_encoder,
)
from radcbir_core.encoders.torch.support import resolve_device

__all__ = [
    "Checkpoint",
    "Encoder",
    "EncoderEntry",
    "Preprocessing",
    "encoder_id_of",
    "find_checkpoint",
    "known_encoders",
    "load_checkpoint",
    "load_encoder",
    "resolve_device",
]
