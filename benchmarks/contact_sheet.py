"""One phantom of every label on a sheet, each with its label: the picture in docs/quickstart.md.

python -m benchmarks.contact_sheet docs/phantoms.webp [--seed 20]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from radcbir_core.synthetic.phantoms.patients import all_labels, draw, patients

TILE, COLUMNS, CAPTION = 120, 10, 28


def sheet(seed: int) -> Image.Image:
    """The first image of the first patient of each label, sorted by label."""
    labels = all_labels()
    found = {}
    for patient in patients(10**9, seed=seed):
        label = f"{patient.scene.modality}/{patient.scene.anatomy}/{patient.pathology}"
        found.setdefault(label, patient)
        if len(found) == len(labels):
            break
    rows = -(-len(labels) // COLUMNS)
    canvas = Image.new("L", (COLUMNS * TILE, rows * (TILE + CAPTION)))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=11)
    for place, label in enumerate(labels):
        x, y = place % COLUMNS * TILE, place // COLUMNS * (TILE + CAPTION)
        pixels = draw(found[label], seed=seed)[0].pixels
        canvas.paste(Image.fromarray(pixels).resize((TILE - 4, TILE - 4), Image.Resampling.LANCZOS), (x + 2, y + 2))
        modality, anatomy, pathology = label.split("/")
        pen.text((x + 3, y + TILE - 1), f"{modality} {anatomy}", fill=255, font=font)
        pen.text((x + 3, y + TILE + 12), pathology, fill=180, font=font)
    return canvas


def main() -> None:
    """Parse, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args()
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    sheet(asked.seed).save(asked.output, quality=82)
    print(f"{asked.output}: {asked.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
