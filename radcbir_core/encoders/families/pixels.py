"""The ``pixels`` encoder: the image itself, small and gray. The baseline that every encoder has to beat.

Owns one recipe and needs neither weights nor torch: grayscale, bilinear 32 x 32, mean removed, L2-normalized.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.base import (
    Float32Array,
    Precision,
    Preprocessing,
    encode_in_batches,
    fingerprint_of,
    unit_rows,
)
from radcbir_core.errors import EncoderError
from radcbir_core.wording import counted

SIDE = 32
RECIPE = "pixels/1"
"""Family and version of the recipe; the version counts up whenever the numbers change."""


class PixelsEncoder:
    """Similarity of two images as the correlation of their 32 x 32 thumbnails; 1,024 dimensions, no text.

    The luma is Pillow's (ITU-R 601, integer), the resizing Pillow's antialiased bilinear. An image of one gray level
    has nothing left once its mean is removed: its embedding is all zeros, which means "no embedding".

    Example:
        >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
        >>> embeddings = PixelsEncoder().encode_images([ramp, 2 * ramp, np.zeros_like(ramp)])
        >>> embeddings.shape, bool(embeddings[0] @ embeddings[1] > 0.999), bool(embeddings[2].any())
        ((3, 1024), True, False)
    """

    def __init__(self) -> None:
        self.spec = "pixels"
        self.encoder_id = "pixels"
        self.title = "Pixels (32 x 32 baseline)"
        self.dimension = SIDE * SIDE
        self.supports_text = False
        self.preprocessing = Preprocessing(size=(SIDE, SIDE), fit="squash", interpolation="bilinear", color="L")
        self.weights_digest = ""
        self.fingerprint = fingerprint_of(
            {"recipe": RECIPE, "preprocessing": self.preprocessing.as_dict(), "dimension": self.dimension}
        )
        self.device = "cpu"
        self.batch_size = 1024
        self.precision = Precision()

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One image, (H, W) or (H, W, 3) uint8, as its 32 x 32 luma, (1024,) float32 in 0..255.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        return self.preprocessing.fitting(pixels).astype(np.float32).ravel()

    def encode_fitted(self, fitted: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Lumas of 32 x 32, each (32, 32) uint8, as embeddings, (B, 1024) float32."""
        return self.encode_prepared(np.stack(fitted).reshape(len(fitted), -1).astype(np.float32))

    def encode_prepared(self, batch: Float32Array) -> Float32Array:
        """Lumas, (B, 1024) float32, as embeddings, (B, 1024) float32: mean removed, norm 1 (0 for a uniform image).

        Raises:
            ValueError: ``batch`` has another shape.
        """
        if batch.ndim != 2 or batch.shape[1] != self.dimension:
            raise ValueError(f"Expected a (B, {self.dimension}) batch, but batch.shape = {batch.shape}. Use prepare().")
        return unit_rows(batch - batch.mean(axis=1, keepdims=True), encoder_id=self.encoder_id)

    def encode_images(self, images: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Decoded images as embeddings, (B, 1024) float32."""
        return encode_in_batches(self, images)

    def encode_texts(self, texts: Sequence[str]) -> Float32Array:
        """Always refused: pixels know no words.

        Raises:
            EncoderError: Always.
        """
        self._refuse_text(texts)

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Always refused: pixels know no words.

        Raises:
            EncoderError: Always.
        """
        self._refuse_text(texts)

    @staticmethod
    def _refuse_text(texts: Sequence[str]) -> NoReturn:
        raise EncoderError(
            f"Expected an encoder with a text tower for {counted(len(texts), 'text')}, but encoder = pixels. "
            "Choose one that has a text tower, such as biomedclip."
        )
