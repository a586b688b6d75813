"""What two files of one picture have in common: patches without brightness, and a signature without directions.

Owns the form in which pictures are compared. A picture that is scaled, compressed again, shown in another window or
with another gamma keeps the pattern of what is brighter than its surroundings; inverted, the pattern changes its sign;
flipped, its direction. Whether two patches agree is agreement.py's.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.images.thumbnailing import gray_of

SIDE: Final = 64
"""Of a patch, in pixels; whatever the picture's form, it is a square."""
_FREQUENCIES: Final = 12  # a direction: of a patch of 32 pixels a side, those that survive a small crop
_SURROUNDINGS: Final = 3.0  # pixels of a patch: the standard deviation of what counts as a pixel's surroundings
_FLAT: Final = 0.3  # of the usual contrast: what has less is noise, and is not made as strong as the rest
_LEAST_CONTRAST: Final = 1.0  # gray levels: less, and there is nothing in the picture that could be recognized

Grays = npt.NDArray[np.uint8]
Patches = npt.NDArray[np.float32]


def gray_patch(thumbnail: bytes) -> tuple[Grays, int] | None:
    """A thumbnail as ``(SIDE, SIDE)`` gray levels, and the shorter side that it had, in pixels; None for no picture.

    Args:
        thumbnail: As a collection keeps it.
    """
    try:
        gray = gray_of(thumbnail)
    except (OSError, ValueError, SyntaxError):
        return None
    shorter = min(gray.size)
    method = Image.Resampling.BOX if shorter >= 2 * SIDE else Image.Resampling.BILINEAR
    return np.asarray(gray.resize((SIDE, SIDE), method)), shorter


def normalized(grays: npt.NDArray[Any]) -> Patches:
    """Patches of how much each pixel differs from its surroundings, by what is usual there.

    Args:
        grays: ``(B, S, S)`` gray levels.

    Returns:
        ``(B, S, S)`` float32 of mean 0 and norm 1, or all 0 where there is nothing in the picture.
    """
    blur = _blur(grays.shape[1])
    rest = np.asarray(grays, dtype=np.float32)
    rest = rest - _smooth(rest, blur)
    local = _smooth(rest * rest, blur)
    usual = local.mean(axis=(1, 2), keepdims=True)
    rest /= np.sqrt(local + _FLAT**2 * usual + 1e-6)
    return of_norm_one(rest * (usual >= _LEAST_CONTRAST**2))


def of_norm_one(patches: Patches) -> Patches:
    """Patches less their mean, of norm 1; those that are the same all over become 0."""
    rest = patches - patches.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt(np.einsum("byx,byx->b", rest, rest))
    scaled: Patches = rest / np.where(norms > 1e-6, norms, np.inf)[:, None, None]
    return scaled


def halved(patches: npt.NDArray[Any]) -> Patches:
    """``(B, S/2, S/2)``; the means of four pixels each."""
    number, side, _ = patches.shape
    means: Patches = patches.reshape(number, side // 2, 2, side // 2, 2).mean(axis=(2, 4), dtype=np.float32)
    return means


def signatures(patches: Patches) -> npt.NDArray[np.float32]:
    """``(B, 143)`` unit vectors that are the same for a patch, for it flipped either way, and for it inverted.

    They are the sizes of the patch's first cosine frequencies: flipping and inverting change their signs alone.

    Args:
        patches: ``(B, S, S)``, normalized; one that is 0 has a signature of 0.

    Example:
        >>> patch = normalized(np.random.default_rng(0).integers(0, 256, (1, 32, 32)))
        >>> bool(np.allclose(signatures(patch), signatures(-patch[:, ::-1]), atol=1e-5))
        True
    """
    at = (np.arange(patches.shape[1]) + 0.5) / patches.shape[1]
    cosines = np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * at).astype(np.float32)
    vectors = np.abs(cosines @ patches @ cosines.T).reshape(len(patches), -1)[:, 1:]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float32] = vectors / np.where(norms > 1e-6, norms, np.inf)
    return scaled


def _smooth(patches: Patches, blur: npt.NDArray[np.float32]) -> Patches:
    """Both directions are one product of large matrices each; a product a patch would take several times as long."""
    side = patches.shape[1]
    across = (patches.reshape(-1, side) @ blur.T).reshape(-1, side, side).transpose(0, 2, 1)
    down = (across.reshape(-1, side) @ blur.T).reshape(-1, side, side)
    smooth: Patches = down.transpose(0, 2, 1).astype(np.float32, copy=False)
    return smooth


def _blur(side: int) -> npt.NDArray[np.float32]:
    """``(side, side)``; what smooths a line by a product. At the borders its weights sum to 1 too."""
    away = np.arange(side)[:, None] - np.arange(side)[None]
    weights = np.exp(-0.5 * (away / _SURROUNDINGS) ** 2)
    scaled: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return scaled
