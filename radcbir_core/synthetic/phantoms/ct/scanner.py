"""The scanner: how sharp and noisy an image of Hounsfield units is, how much it shows, and the window it is shown in.

Owns what belongs to the machine and its settings; knows no anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from radcbir_core.synthetic.phantoms import canvas
from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.ct import tissue
from radcbir_core.synthetic.phantoms.ct.outlines import Bend, Points, curve, mm
from radcbir_core.synthetic.phantoms.ct.plane import Layer, Plane, soften
from radcbir_core.synthetic.phantoms.scenes import SIDE, Drawn, Lesion


@dataclass(frozen=True)
class Scanner:
    """Settings of one examination, the same for all images of a patient and drawn alike whatever the pathology.

    Attributes:
        mm_per_pixel: Size of a pixel.
        shift: (x, y) of the patient's origin from the center of the image, in pixels.
        angle: How the patient lies, clockwise as seen, in radians.
        blur_mm: Deviation of the point spread, in mm.
        noise: Deviation of the noise in the middle of the patient, in HU.
        streaks: Noise along the rows that have most to pass through, as a share of ``noise``.
        grain: Deviations in pixels of the two Gaussians whose difference is the noise's band.
        center: Of the window, in HU.
        width: Of the window, in HU.
        black: Grey level that the window starts with, 0 to 1: above 0 in exports that keep a floor.
        circle: Radius of the reconstructed circle in pixels; beyond it there is nothing.
    """

    mm_per_pixel: float
    shift: tuple[float, float]
    angle: float
    blur_mm: float
    noise: float
    streaks: float
    grain: tuple[float, float]
    center: float
    width: float
    black: float
    circle: float

    @classmethod
    def of(
        cls,
        generator: np.random.Generator,
        *,
        extent: tuple[float, float],
        zoom: tuple[float, float],
        window: tuple[float, float],
        noise: tuple[float, float],
        turn: float,
    ) -> Scanner:
        """Draws the settings.

        Args:
            generator: All randomness.
            extent: Width and height of the patient in mm.
            zoom: Lowest and highest field of view, as a share of the larger one of these.
            window: Usual center and width in HU.
            noise: Lowest and highest deviation in HU.
            turn: Deviation of the angle in degrees.
        """
        largest = max(extent)
        view = largest * float(generator.uniform(*zoom))
        scale = view / SIDE
        room = [(view - length) / 2 for length in extent]
        across, down = (float(np.clip(generator.normal(0, 0.06) * view, -0.8 * r, 0.8 * r)) for r in room)
        return cls(
            mm_per_pixel=scale,
            shift=(across / scale, down / scale),
            angle=float(np.deg2rad(np.clip(generator.normal(0, turn), -2.2 * turn, 2.2 * turn))),
            blur_mm=log_uniform(generator, 0.45, 1.3),
            noise=log_uniform(generator, *noise),
            streaks=float(generator.uniform(0.1, 0.6)),
            grain=(float(generator.uniform(0.35, 0.75)), float(generator.uniform(1.5, 3.0))),
            center=window[0] + float(generator.normal(0, 0.03)) * window[1],
            width=window[1] * float(generator.uniform(0.88, 1.2)),
            black=float(generator.uniform(0.05, 0.3)) if generator.random() < 0.1 else 0.0,
            circle=float(generator.uniform(0.98, 1.02)) * SIDE / 2 if generator.random() < 0.35 else float(SIDE),
        )

    def plane(self, generator: np.random.Generator, *bends: Bend) -> Plane:
        """Where the patient lies in the next image: nearly where they lay before, for they breathe and move."""
        breath = float(generator.normal(1, 0.006))
        dx, dy = generator.normal(0, 1.2, 2)
        return Plane(
            self.mm_per_pixel * breath,
            SIDE / 2 - 0.5 + self.shift[0] + float(dx),
            SIDE / 2 - 0.5 + self.shift[1] + float(dy),
            self.angle + float(generator.normal(0, 0.012)),
            bends,
        )

    def windowed(self, densities: Field) -> Field:
        """Hounsfield units as grey, 0 to 1 (DICOM PS3.3 C.11.2.1.2, linear exact), above the floor if there is one."""
        grey = np.clip((densities - np.float32(self.center)) / np.float32(self.width) + 0.5, 0, 1)
        return np.asarray(self.black + (1 - self.black) * grey, dtype=np.float32)

    def sharpness(self, densities: Field) -> Field:
        """What the point spread leaves of them."""
        return soften(densities, self.blur_mm / self.mm_per_pixel)

    def _noise(self, densities: Field, generator: np.random.Generator) -> Field:
        white = generator.standard_normal((SIDE, SIDE), dtype=np.float32)
        fine, coarse = self.grain
        grain = soften(white, fine) - soften(white, coarse)
        grain /= grain.std()
        # The more tissue a ray passes, the fewer photons arrive: by row and by column, as seen from two directions.
        matter = np.clip(densities / 1000 + 1, 0, 2.2)
        across, down = matter.mean(axis=1), matter.mean(axis=0)
        thickness = across[:, None] / max(across.max(), 1e-3) + down[None, :] / max(down.max(), 1e-3)
        rows = np.maximum(across / max(across.max(), 1e-3) - 0.45, 0)[:, None] ** 2 * 4
        lines = Image.fromarray(generator.standard_normal((SIDE, 7), dtype=np.float32))
        streaks = soften(np.asarray(lines.resize((SIDE, SIDE), Image.Resampling.BICUBIC)), 0.55, 0)
        streaks *= np.float32(self.streaks / max(streaks.std(), 1e-6)) * rows
        return np.asarray((grain * np.exp(0.9 * (thickness - 2)) + streaks) * np.float32(self.noise), dtype=np.float32)

    @property
    def outside(self) -> Field:
        """Which pixels lie beyond the reconstructed circle."""
        y, x = canvas.grid()
        half = np.float32(SIDE / 2 - 0.5)
        return np.asarray((x - half) ** 2 + (y - half) ** 2 > self.circle**2)

    def show(
        self,
        densities: Field,
        generator: np.random.Generator,
        *,
        view: str,
        lesion: Field | None = None,
        beside: Field | None = None,
        size_mm: float | None = None,
        place: str = "",
    ) -> Drawn:
        """The image of a plane of Hounsfield units, with the truth about its lesion if it has one.

        Args:
            densities: (224, 224) in HU, before the point spread.
            generator: All randomness.
            view: What the image is called.
            lesion: (224, 224) the lesion's share of each pixel.
            beside: (224, 224) what it is compared with, as a share of each pixel; all that is near by default.
            size_mm: Its size, if known better than from the mask.
            place: Where it is.
        """
        sharp = self.sharpness(densities)
        noisy = sharp + self._noise(sharp, generator)
        if self.circle < SIDE:
            beyond = self.outside
            noisy[beyond] = sharp[beyond] = tissue.PADDING
        truth: Lesion | None = None
        if lesion is not None:
            shown = self.windowed(sharp)
            if beside is not None:
                near = (soften(lesion, 3.0) > 0.02) & (lesion < 0.05) & (beside > 0.5)
                level = float(shown[near].mean()) if near.any() else float(shown[beside > 0.5].mean())
                shown = np.where((lesion > 0.5) | near, shown, np.float32(level))
            truth = canvas.measured(shown, lesion, mm_per_pixel=self.mm_per_pixel, place=place, size_mm=size_mm)
        return Drawn(pixels=canvas.to_pixels(self.windowed(noisy)), view=view, lesion=truth)


def table(layer: Layer, plane: Plane, *, back: float, width: float, sag: float) -> None:
    """The table top under a lying patient: two thin shells, a little deeper in the middle.

    Args:
        layer: Of Hounsfield units.
        plane: Without bends.
        back: Where the patient's back is, in mm from the origin.
        width: Of the table in mm.
        sag: How much deeper the middle is, in mm.
    """
    half = width / 2
    shell: Points = curve(
        [
            (-half, back - sag),
            (-half * 0.6, back - 0.3 * sag),
            (0, back),
            (half * 0.6, back - 0.3 * sag),
            (half, back - sag),
        ],
        closed=False,
    )
    layer.stroke(shell + mm([0, 4]), 2.2, tissue.TABLE + 200, plane=plane)
    layer.stroke(shell * mm([1, 0.6]) + mm([0, 0.4 * back + 38]), 2.0, tissue.TABLE + 100, plane=plane)
