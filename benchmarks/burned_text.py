"""How often text that is burned into pixels is found, and how often it is found where there is none.

Run: ``python -m benchmarks.burned_text REAL_FOLDER … [--phantoms NAME] [--images 60] [--list FILE.csv]``, with the
optional part that finds text installed. ``REAL_FOLDER`` holds a folder a data set, each with ``images/``, as the tests
of real images want it.

Phantoms: each of so many phantoms, drawn from a collection by a fixed seed, is looked at as it is (false alarms) and
with a name and a date, an identifier or a place written into it, in Pillow's own font, at a place that is drawn: in
capital letters of several heights (of the shorter side), brighter than what they stand on by so many gray levels, or
darker where there is no room. A hit is an image that is flagged. Covered is one of which, painted black, no more than a
hundredth of the letters' pixels is left.

Real images: ``burned_text_seen.csv`` names, by the first half of their SHA-256, the images in which a person sees a
word, or two letters or digits that belong together. Of three ultrasound data sets all images were looked at. Of the
others only those that were flagged were, so that of them there are false alarms alone, and images that do show text are
left out of these. Calipers, pictograms, single letters, and the rests of a scanner's name that a crop has cut through,
are no text. Images whose SHA-256 begins with an even digit are those by which the rule's numbers were chosen; the
others are told apart as ``held out``.

Intervals are Wilson's (95 %), over images. Seconds are those of one processor core, decoding left out.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from radcbir_core.burned_text.text_detector import TextDetector, load_detector
from radcbir_core.burned_text.text_rule import judged
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.text_boxes import TEXT, WORDS
from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image, is_image_name
from radcbir_core.images.blackout import Boxes, blacked_out

Pixels = np.ndarray

SEEN: Final = Path(__file__).with_name("burned_text_seen.csv")
ALL_SEEN: Final = ("busi_breast_us", "pocus_lung_us", "ultrasound_liver")
"""The data sets of which each image was looked at by a person."""
WRITTEN: Final = ("DOE JANE 02.01.1970", "ID 4711-08 F", "LT AXILLA 14:05")
HEIGHTS: Final = (2, 3, 5)
LEVELS: Final = (150, 60)
_DIGEST: Final = 32


@dataclass(slots=True)
class Share:
    """So many of so many."""

    number: int = 0
    of: int = 0

    def count(self, *, yes: bool) -> None:
        """One more."""
        self.number += yes
        self.of += 1

    def said(self) -> str:
        """With Wilson's interval.

        >>> Share(9, 10).said()
        '9 of 10: 90.0 % (59.6 to 98.2 %)'
        """
        if not self.of:
            return "none"
        low, high = wilson(self.number, self.of)
        return (
            f"{self.number} of {self.of}: {100 * self.number / self.of:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"
        )


def wilson(number: int, of: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share."""
    share = number / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


class Clock:
    """Looks at pictures, and counts processor seconds."""

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector
        self.seconds, self.images = 0.0, 0

    def look(self, pixels: Pixels) -> tuple[int, Boxes]:
        """State and boxes."""
        before = time.process_time()
        result = judged(self._detector(pixels))
        self.seconds += time.process_time() - before
        self.images += 1
        return result


def burned(pixels: Pixels, *, percent: float, level: int, draw: random.Random) -> tuple[Pixels, np.ndarray]:
    """The picture with a line of text, and where its letters are, ``(H, W)`` bool."""
    gray = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    height, width = gray.shape
    # What Pillow calls a size is some 1.4 times the height of a capital letter.
    font = ImageFont.load_default(max(6.0, 1.4 * percent / 100 * min(height, width)))
    text = draw.choice(WRITTEN)
    left, _, right, bottom = font.getbbox(text)
    x = draw.randint(2, max(3, round(width - (right - left)) - 3))
    y = draw.choice([2, max(3, round(height - bottom) - 3), draw.randint(2, max(3, round(height - bottom) - 3))])
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((x, y), text, fill=255, font=font)
    share = np.asarray(mask, np.float32) / 255
    ground = float(gray[share > 0].mean()) if (share > 0).any() else 0.0
    ink = ground + level if ground + level <= 255 else ground - level
    return (gray * (1 - share) + np.clip(ink, 0, 255) * share).round().astype(np.uint8), share > 0.5


def phantoms(clock: Clock, name: str, *, images: int) -> None:
    """Hits and false alarms on phantoms."""
    collection = open_collection(name)
    draw = random.Random(0)
    rows = sorted(draw.sample(range(len(collection)), min(images, len(collection))))
    modality = collection.manifest.codes("modality").text(rows)
    alarms: dict[str, Share] = defaultdict(Share)
    found: dict[tuple[int, int], Share] = defaultdict(Share)
    covered: dict[tuple[int, int], Share] = defaultdict(Share)
    for row, kind in zip(rows, modality, strict=True):
        pixels = collection.read_image(row).pixels
        alarms[kind].count(yes=clock.look(pixels)[0] == TEXT)
        for percent in HEIGHTS:
            for level in LEVELS:
                with_text, ink = burned(pixels, percent=percent, level=level, draw=draw)
                state, boxes = clock.look(with_text)
                hit = state == TEXT
                found[percent, level].count(yes=hit)
                if hit:
                    left = (blacked_out(with_text, boxes)[ink] > 0) & (with_text[ink] > 0)
                    covered[percent, level].count(yes=float(left.mean()) <= 0.01)
    for kind, share in sorted(alarms.items()):
        print(f"phantoms {kind} without text, flagged                   {share.said()}")
    for (percent, level), share in found.items():
        print(f"phantoms, letters of {percent} %, {level} levels apart, found       {share.said()}")
        print(f"    of these covered by black                         {covered[percent, level].said()}")


def pictures(folders: Iterable[Path]) -> Iterator[tuple[str, Path, str]]:
    """Data set, file and SHA-256 of each image of folders of data sets."""
    for folder in folders:
        for path in sorted(folder.glob("*/images/*")):
            if is_image_name(path.name):
                yield path.parts[-3], path, hashlib.sha256(path.read_bytes()).hexdigest()


def seen() -> dict[str, str]:
    """First half of a SHA-256 → what a person sees."""
    if not SEEN.is_file():
        return {}
    with SEEN.open(newline="", encoding="utf-8") as handle:
        return {row["sha256"]: row["seen"] for row in csv.DictReader(handle)}


def real(clock: Clock, folders: list[Path], *, most: int, listed: Path | None) -> None:
    """Hits and false alarms on real images."""
    told = seen()
    by_set: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for name, path, digest in pictures(folders):
        by_set[name].append((path, digest))
    shares: dict[tuple[str, str, str], Share] = defaultdict(Share)
    lines = [["dataset", "file", "sha256", "seen", "state"]]
    for name, files in sorted(by_set.items()):
        chosen = files if name in ALL_SEEN or len(files) <= most else random.Random(0).sample(files, most)
        for path, digest in sorted(chosen):
            try:
                state, _ = clock.look(decode_image(path).pixels)
            except ImageError:
                continue
            what = told.get(digest[:_DIGEST], "none")
            half = "chosen by" if digest[0] in "02468ace" else "held out"
            shares[name, "found" if what == "text" else "false alarms", half].count(yes=state == TEXT)
            lines.append([name, path.name, digest[:_DIGEST], what, WORDS[state]])
        if listed is not None:
            with listed.open("w", newline="", encoding="utf-8") as handle:
                csv.writer(handle, lineterminator="\n").writerows(lines)
        for (of, what, half), share in sorted(shares.items()):
            if of == name and (what == "false alarms" or name in ALL_SEEN):
                print(f"{name}, {half}: {what:<14} {share.said()}", flush=True)


def main() -> None:
    """Look at everything, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", help="folders of data sets of real images")
    parser.add_argument("--phantoms", default="phantoms", help="a collection of phantoms; '' for none")
    parser.add_argument("--images", type=int, default=60, help="phantoms to look at")
    parser.add_argument("--most", type=int, default=120, help="images of a data set that not all were looked at of")
    parser.add_argument("--list", type=Path, help="where to write what was found in each real image")
    asked = parser.parse_args()
    clock = Clock(load_detector(threads=1))
    real(clock, asked.folders, most=asked.most, listed=asked.list)
    if asked.phantoms:
        phantoms(clock, asked.phantoms, images=asked.images)
    print(f"processor seconds an image: {clock.seconds / max(clock.images, 1):.3f}, of {clock.images} images")


if __name__ == "__main__":
    main()
