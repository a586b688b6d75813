"""What a tissue's signal is: relaxation times and proton densities, and the signal equations of the sequences.

Relaxation times at 1.5 T after Bottomley et al. (Med Phys 11, 1984), Stanisz et al. (Magn Reson Med 54, 2005) and
de Bazelaire et al. (Radiology 230, 2004); where sources differ, a value within their range. The equations are those of
Bernstein, King and Zhou, Handbook of MRI Pulse Sequences (2004). Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RELAXIVITY = 4.5
"""Of a gadolinium chelate at 1.5 T, per second and mmol/l (Rohrer et al., Invest Radiol 40, 2005)."""


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """What a tissue brings to an MR signal.

    Attributes:
        t1: Longitudinal relaxation time at 1.5 T in ms.
        t2: Transverse relaxation time in ms.
        density: Proton density relative to water.
        fat: Share of the protons that belong to fat, which fat suppression takes away.
        uptake: Gadolinium in mmol/l after contrast; 0 behind an intact blood-brain barrier.
    """

    t1: float
    t2: float
    density: float
    fat: float = 0.0
    uptake: float = 0.0


AIR = Tissue(t1=1000, t2=1, density=0.0)
BONE = Tissue(t1=800, t2=2, density=0.12)
WHITE_MATTER = Tissue(t1=600, t2=78, density=0.70, uptake=0.02)
GRAY_MATTER = Tissue(t1=950, t2=96, density=0.82, uptake=0.05)
DEEP_GRAY_MATTER = Tissue(t1=850, t2=82, density=0.78, uptake=0.04)
CEREBROSPINAL_FLUID = Tissue(t1=4200, t2=1800, density=1.0)
FAT = Tissue(t1=270, t2=95, density=0.95, fat=0.95)
SKIN = Tissue(t1=750, t2=40, density=0.75, uptake=0.25)
MUSCLE = Tissue(t1=950, t2=42, density=0.78, uptake=0.08)
FATTY_MARROW = Tissue(t1=290, t2=85, density=0.85, fat=0.88)
VERTEBRAL_MARROW = Tissue(t1=480, t2=65, density=0.72, fat=0.5)
MUCOSA = Tissue(t1=1000, t2=110, density=0.9, uptake=0.7)
DURA = Tissue(t1=900, t2=25, density=0.6, uptake=0.55)
PITUITARY = Tissue(t1=850, t2=85, density=0.8, uptake=0.7)
VENOUS_BLOOD = Tissue(t1=1250, t2=60, density=0.6, uptake=1.3)
FLOW_VOID = Tissue(t1=1250, t2=6, density=0.3)
GLANDULAR = Tissue(t1=1100, t2=70, density=0.85, fat=0.1, uptake=0.09)
LIVER = Tissue(t1=570, t2=46, density=0.75, uptake=0.25)
CARTILAGE = Tissue(t1=900, t2=48, density=0.85)
MENISCUS = Tissue(t1=800, t2=9, density=0.5)
LIGAMENT = Tissue(t1=800, t2=8, density=0.42)
SYNOVIAL_FLUID = Tissue(t1=3400, t2=700, density=1.0)
DISC = Tissue(t1=1000, t2=92, density=0.9)
ANNULUS = Tissue(t1=900, t2=24, density=0.6)
NERVE = Tissue(t1=900, t2=75, density=0.75)
EDEMA = Tissue(t1=1300, t2=150, density=0.9)
MARROW_EDEMA = Tissue(t1=1150, t2=140, density=0.95, fat=0.08, uptake=0.3)


@dataclass(frozen=True, kw_only=True)
class PulseSequence:
    """A pulse sequence with its timing.

    Attributes:
        name: In a radiologist's words: "T1", "T2", "FLAIR", "T1 with contrast".
        repetition_ms: TR.
        echo_ms: TE.
        inversion_ms: TI; 0 for none.
        flip_degrees: Of a spoiled gradient echo; 0 for a spin echo.
        contrast: Whether gadolinium was given.
        fat_suppression: Share of the fat signal that is taken away, 0 to 1.
        t1_stretch: T1 relative to 1.5 T; about 1.25 at 3 T.
    """

    name: str
    repetition_ms: float
    echo_ms: float
    inversion_ms: float = 0.0
    flip_degrees: float = 0.0
    contrast: bool = False
    fat_suppression: float = 0.0
    t1_stretch: float = 1.0

    def signal(self, tissue: Tissue) -> float:
        """Magnitude of the tissue's signal, relative to fully relaxed water.

        Spin echo ``(1 - e^(-TR/T1)) e^(-TE/T2)``; with an inversion ``(1 - 2 e^(-TI/T1) + e^(-TR/T1)) e^(-TE/T2)``;
        spoiled gradient echo ``sin a (1 - E1) / (1 - E1 cos a) e^(-TE/T2)``. Gadolinium adds its relaxation rates.
        """
        uptake = tissue.uptake if self.contrast else 0.0
        t1 = 1 / (1 / (tissue.t1 * self.t1_stretch) + RELAXIVITY * uptake / 1000)
        t2 = 1 / (1 / tissue.t2 + 1.2 * RELAXIVITY * uptake / 1000)
        recovery = np.exp(-self.repetition_ms / t1)
        if self.flip_degrees > 0:
            flip = np.deg2rad(self.flip_degrees)
            longitudinal = np.sin(flip) * (1 - recovery) / (1 - recovery * np.cos(flip))
        elif self.inversion_ms > 0:
            longitudinal = 1 - 2 * np.exp(-self.inversion_ms / t1) + recovery
        else:
            longitudinal = 1 - recovery
        kept = 1 - tissue.fat * self.fat_suppression
        return float(abs(tissue.density * kept * longitudinal * np.exp(-self.echo_ms / t2)))


def field_strength(generator: np.random.Generator) -> float:
    """How much longer than at 1.5 T the T1 of this scanner's field are: 1.5 T or 3 T, with what a body's heat adds."""
    return float((1.0 if generator.random() < 0.55 else 1.22) * generator.normal(1.0, 0.03))


def spin_echo_t1(
    generator: np.random.Generator, *, contrast: bool = False, fat_suppression: float = 0.0
) -> PulseSequence:
    """T1-weighted spin echo."""
    return PulseSequence(
        name="T1 with contrast" if contrast else "T1",
        repetition_ms=float(generator.uniform(420, 650)),
        echo_ms=float(generator.uniform(9, 15)),
        contrast=contrast,
        fat_suppression=fat_suppression,
        t1_stretch=field_strength(generator),
    )


def spin_echo_t2(generator: np.random.Generator, *, fat_suppression: float = 0.0) -> PulseSequence:
    """T2-weighted turbo spin echo."""
    return PulseSequence(
        name="T2 with fat suppression" if fat_suppression else "T2",
        repetition_ms=float(generator.uniform(3500, 5500)),
        echo_ms=float(generator.uniform(80, 115)) if not fat_suppression else float(generator.uniform(55, 80)),
        fat_suppression=fat_suppression,
        t1_stretch=field_strength(generator),
    )


def proton_density(generator: np.random.Generator, *, fat_suppression: float = 0.0) -> PulseSequence:
    """Proton-density-weighted turbo spin echo."""
    return PulseSequence(
        name="PD with fat suppression" if fat_suppression else "PD",
        repetition_ms=float(generator.uniform(2400, 3800)),
        echo_ms=float(generator.uniform(28, 42)),
        fat_suppression=fat_suppression,
        t1_stretch=field_strength(generator),
    )


def flair(generator: np.random.Generator) -> PulseSequence:
    """Fluid-attenuated inversion recovery; the inversion time nulls what relaxes as cerebrospinal fluid does."""
    stretch = field_strength(generator)
    repetition = float(generator.uniform(8000, 10000))
    t1 = CEREBROSPINAL_FLUID.t1 * stretch
    null = t1 * np.log(2 / (1 + np.exp(-repetition / t1)))
    return PulseSequence(
        name="FLAIR",
        repetition_ms=repetition,
        echo_ms=float(generator.uniform(95, 130)),
        inversion_ms=float(null * generator.uniform(0.93, 1.03)),
        t1_stretch=stretch,
    )


def gradient_echo_t1(generator: np.random.Generator, *, fat_suppression: float, contrast: bool = True) -> PulseSequence:
    """T1-weighted spoiled gradient echo, as for dynamic studies of the breast."""
    return PulseSequence(
        name="T1 with contrast and fat suppression" if contrast else "T1 with fat suppression",
        repetition_ms=float(generator.uniform(4.5, 7)),
        echo_ms=float(generator.uniform(1.5, 2.6)),
        flip_degrees=float(generator.uniform(10, 16)),
        contrast=contrast,
        fat_suppression=fat_suppression,
        t1_stretch=field_strength(generator),
    )
