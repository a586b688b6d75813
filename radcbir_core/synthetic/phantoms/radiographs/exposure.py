"""From thicknesses to a displayed radiograph: beam, scatter, detector, noise, and the curve of film or detector.

Owns the physics that all radiographs share. Line integrals of attenuation (Beer-Lambert; one effective energy a beam),
scattered radiation as a blurred share of the primary (Bushberg et al., The Essential Physics of Medical Imaging, 3rd
ed., ch. 7), photon noise, detector blur, logarithm, edge enhancement, and an S-shaped look-up table (DICOM PS3.3
C.11.2.1.3.1), displayed with bone white.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.synthetic.phantoms.canvas import Field, blur, to_pixels


@dataclass(frozen=True, kw_only=True)
class Beam:
    """Linear attenuation in 1/cm at the effective energy of a beam.

    From NIST XCOM / ICRU-44 mass attenuation: water and cortical bone (density 1.92 g/cm³), filters included.
    """

    soft: float
    bone: float


CHEST_BEAM = Beam(soft=0.190, bone=0.47)
"""About 75 keV: 110 to 125 kVp with added filtration, the usual chest technique."""

LIMB_BEAM = Beam(soft=0.255, bone=1.15)
"""About 42 keV: 55 to 65 kVp, the usual technique of a hand or a knee."""


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One exposure and how it is displayed.

    Attributes:
        beam: Attenuation.
        scatter: Scattered share of what the detector sees, 0 to 1.
        scatter_reach: Width of the scatter in pixels (a deviation).
        photons: Detected in a pixel without a patient, in units that make the noise; more is smoother.
        softness: Blur of focus and detector in pixels (a deviation).
        black: Logarithmic exposure shown black.
        white: Logarithmic exposure shown white.
        contrast: Steepness of the S-curve; 0 is a straight line.
        enhancement: Share of the detail that the processing adds.
        enhancement_reach: Width of what counts as detail, in pixels.
        floor: Darkest gray level shown, 0 to 1.
        ceiling: Brightest gray level shown, 0 to 1.
    """

    beam: Beam
    scatter: float
    scatter_reach: float
    photons: float
    softness: float
    black: float
    white: float
    contrast: float
    enhancement: float = 0.0
    enhancement_reach: float = 5.0
    floor: float = 0.0
    ceiling: float = 1.0


def wide_blur(image: Field, sigma: float) -> Field:
    """A blur of any width: a few taps if it is narrow, on fewer pixels if it is wide, since that is much faster."""
    if sigma < 1.2:
        return _narrow_blur(image, sigma)
    factor = 4 if sigma >= 12 else (2 if sigma >= 4 else 1)
    if factor == 1:
        return blur(image, sigma)
    height, width = image.shape
    small = image.reshape(height // factor, factor, width // factor, factor).mean(axis=(1, 3), dtype=np.float32)
    large = Image.fromarray(blur(small, sigma / factor)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)


def _narrow_blur(image: Field, sigma: float) -> Field:
    """A Gaussian blur by seven taps along each axis; the edges are repeated."""
    weights = np.exp(-0.5 * (np.arange(4) / max(sigma, 1e-3)) ** 2)
    weights = (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)
    for axis in (0, 1):
        size = image.shape[axis]
        padded = np.pad(image, [(3, 3) if along == axis else (0, 0) for along in (0, 1)], mode="edge")

        def shifted(by: int, padded: Field = padded, axis: int = axis, size: int = size) -> Field:
            return padded[3 + by : 3 + by + size] if axis == 0 else padded[:, 3 + by : 3 + by + size]

        image = weights[0] * shifted(0)
        for step in (1, 2, 3):
            if weights[step] > 1e-4:
                image = image + weights[step] * (shifted(-step) + shifted(step))
    return image


def absorbed(soft: Field, bone: Field, exposure: Exposure) -> Field:
    """What the detector sees, as -ln of its share of the open beam, before noise; thicknesses in cm."""
    primary = np.exp(-(np.float32(exposure.beam.soft) * soft + np.float32(exposure.beam.bone) * bone))
    if exposure.softness > 0:
        primary = wide_blur(primary, exposure.softness)
    share = np.float32(exposure.scatter)
    signal = primary * (1 - share) + share * wide_blur(primary, exposure.scatter_reach)
    return np.asarray(-np.log(np.maximum(signal, 1e-5)), dtype=np.float32)


def displayed(logarithmic: Field, exposure: Exposure) -> Field:
    """The gray levels 0 to 1 of a logarithmic exposure: edge enhancement, then the S-curve; bone is white."""
    image = logarithmic
    if exposure.enhancement > 0:
        image = image + np.float32(exposure.enhancement) * (image - wide_blur(image, exposure.enhancement_reach))
    share = np.clip((image - np.float32(exposure.black)) / np.float32(exposure.white - exposure.black), 0, 1)
    if exposure.contrast > 0:
        steep = np.float32(exposure.contrast)
        share = 0.5 + 0.5 * np.tanh(steep * (share - 0.5)) / np.tanh(steep / 2)
    return np.asarray(exposure.floor + (exposure.ceiling - exposure.floor) * share, dtype=np.float32)


def noisy(logarithmic: Field, exposure: Exposure, generator: np.random.Generator) -> Field:
    """The logarithmic exposure with photon noise: its variance grows as exposure falls (Poisson, relative 1/N)."""
    deviation = np.exp(0.5 * np.minimum(logarithmic, 6)) / np.float32(np.sqrt(exposure.photons))
    grain = generator.standard_normal(logarithmic.shape, dtype=np.float32)
    return np.asarray(logarithmic + np.minimum(deviation, 0.5) * grain, dtype=np.float32)


def pixels_of(shown: Field) -> npt.NDArray[np.uint8]:
    """Displayed gray levels as pixels."""
    return to_pixels(shown)


def exposed(
    soft: Field,
    bone: Field,
    style: dict[str, float],
    *,
    beam: Beam,
    scatter_reach: float,
    least: float,
    quantiles: tuple[float, float],
) -> tuple[Exposure, Field]:
    """The exposure that automatic control and display choose for this body, and the logarithmic image before noise.

    Args:
        soft: Soft tissue along the ray, cm.
        bone: Bone along the ray, cm.
        style: The technique: scatter, photons, softness, dark, light, contrast, enhancement, reach, floor, ceiling.
        beam: Attenuation.
        scatter_reach: Width of the scatter in pixels (a deviation).
        least: Soft tissue in cm from which on a pixel counts as body.
        quantiles: Of the body's logarithmic exposure; black and white are set in proportion to them.
    """
    basis = Exposure(
        beam=beam,
        scatter=style["scatter"],
        scatter_reach=scatter_reach,
        photons=style["photons"],
        softness=style["softness"],
        black=0.0,
        white=1.0,
        contrast=style["contrast"],
        enhancement=style["enhancement"],
        enhancement_reach=style["reach"],
        floor=style["floor"],
        ceiling=style["ceiling"],
    )
    clean = absorbed(soft, bone, basis)
    sparse, inside = clean[::4, ::4], soft[::4, ::4] > least
    low, high = np.quantile(sparse[inside], quantiles)
    return replace(basis, black=style["dark"] * float(low), white=style["light"] * float(high)), clean
