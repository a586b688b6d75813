"""Half precision where it changes nothing that matters, single precision elsewhere.

Owns the choice. On a GPU half precision is two to four times as quick; whether a network stands it is measured on fixed
images each time it is loaded there, and recorded with the embeddings. On a CPU single precision is the quicker one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from radcbir_core.encoders.base import Float32Array, Precision

if TYPE_CHECKING:
    import torch

FAITHFUL: Final = 0.9995
"""Least cosine, over the fixed images, between half and single precision for half precision to be used. 0.999 would do
for a ranking; the rest is room for images that are harder than these."""


def choose_precision(encode: Callable[[torch.Tensor, bool], torch.Tensor], inputs: torch.Tensor) -> Precision:
    """Measure how far half precision is from single precision, and choose.

    Args:
        encode: From inputs, and whether in half precision, to features, (b, D), of any norm.
        inputs: Prepared fixed images, (b, 3, height, width).

    Returns:
        ``float16`` where each image's two embeddings have a cosine of at least :data:`FAITHFUL`; features that are not
        finite, as those beyond half precision's range are, have a cosine of 0.

    Example:
        >>> import torch
        >>> choose_precision(lambda x, half: x.flatten(1) * (0.5 if half else 1.0), torch.ones(1, 3, 2, 2))
        Precision(name='float16', least_cosine=1.0)
        >>> choose_precision(lambda x, half: x.flatten(1) * (1e38 if half else 1.0) * 100, torch.ones(1, 3, 2, 2))
        Precision(name='float32', least_cosine=0.0)
    """
    single, half = (encode(inputs, in_half).double().cpu().numpy() for in_half in (False, True))
    least = float(min(_cosines(single, half)))
    return Precision("float16" if least >= FAITHFUL else "float32", round(least, 6))


def _cosines(first: Float32Array, second: Float32Array) -> list[float]:
    cosines = []
    for one, other in zip(first, second, strict=True):
        norms = float(np.linalg.norm(one) * np.linalg.norm(other))
        cosines.append(float(one @ other) / norms if np.isfinite(norms) and norms > 0 else 0.0)
    return cosines
