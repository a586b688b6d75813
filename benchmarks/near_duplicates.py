"""How many made copies of real pictures are recognized, and how many of these have a signature like the original's.

Run: ``python -m benchmarks.near_duplicates NAME [--images 300]`` for a collection that is built. Copies go through the
same thumbnails as files would.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from radcbir_core.collections.collection import open_collection
from radcbir_core.embed import thumbnail_of
from radcbir_core.images.perturbations import Step
from radcbir_core.near_duplicates.agreement import Pictures, agree
from radcbir_core.near_duplicates.candidates import LEAST_SIMILAR
from radcbir_core.near_duplicates.signatures import gray_patch, halved, normalized, of_norm_one, signatures

Pixels = np.ndarray
_LARGE = 65


def cropped(pixels: Pixels, share: float) -> Pixels:
    """The lower right corner: as far from the middle as can be."""
    height, width = (round(length * share) for length in pixels.shape[:2])
    return pixels[-height:, -width:]


def curve(pixels: Pixels, of: Callable[[np.ndarray], np.ndarray]) -> Pixels:
    """Other gray levels."""
    return np.clip(of(pixels / 255) * 255, 0, 255).round().astype(np.uint8)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "scaled to 0.5": Step.of("scale:50"),
    "scaled to 2": Step.of("scale:200"),
    "JPEG 30": Step.of("jpeg:70"),
    "JPEG 90": Step.of("jpeg:10"),
    "cropped to 95 %": lambda pixels: cropped(pixels, 0.95),
    "gamma 0.6": Step.of("gamma:0.6"),
    "gamma 1.7": Step.of("gamma:1.7"),
    "window 10 to 80 %": lambda pixels: curve(pixels, lambda x: (x - 0.1) / 0.7),
    "window 30 to 100 %": lambda pixels: curve(pixels, lambda x: (x - 0.3) / 0.7),
    "flipped left to right": Step.of("flip"),
    "upside down": Step.of("upside-down"),
    "inverted": Step.of("invert"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--images", type=int, default=300)
    asked = parser.parse_args()
    collection = open_collection(asked.name)
    number = min(asked.images, len(collection))
    rows = np.sort(np.random.default_rng(0).choice(len(collection), number, replace=False))
    originals = [np.asarray(collection.read_image(int(row)).pixels) for row in rows]
    large = np.array([min(pixels.shape[:2]) >= _LARGE for pixels in originals])
    print(f"| copy | recognized, {int(large.sum())} of ≥ 65 px | {int((~large).sum())} of ≤ 64 px | like signature |")
    print("|---|---|---|---|")
    own = [patch for pixels in originals if (patch := gray_patch(thumbnail_of(pixels))) is not None]
    for name, make in COPIES.items():
        made = [gray_patch(thumbnail_of(np.ascontiguousarray(make(pixels)))) for pixels in originals]
        every = [*own, *(patch for patch in made if patch is not None)]
        grays = np.stack([patch for patch, _ in every])
        medium = normalized(halved(grays))
        pictures = Pictures(
            of_norm_one(halved(medium)).astype(np.float16),
            grays.__getitem__,
            np.array([shorter for _, shorter in every], dtype=np.int32),
        )
        same = agree(pictures, np.arange(number), np.arange(number, 2 * number))
        vectors = signatures(medium)
        like = np.einsum("bd,bd->b", vectors[:number], vectors[number:]) >= LEAST_SIMILAR
        shares = [f"{100 * part.mean():.0f} %" if len(part) else "–" for part in (same[large], same[~large], like)]
        print(f"| {name} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
