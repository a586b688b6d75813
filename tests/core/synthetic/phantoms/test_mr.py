"""MR phantoms: every label draws, the same state draws the same, and the signals are those of the physics."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radcbir_core.synthetic.phantoms.mr import SCENES
from radcbir_core.synthetic.phantoms.mr import tissues as t
from radcbir_core.synthetic.phantoms.mr.scanner import Scanner, acquire
from radcbir_core.synthetic.phantoms.mr.slices import Slice
from radcbir_core.synthetic.phantoms.scenes import NORMAL, SIDE, Drawn, Scene

CASES = [(scene, pathology) for scene in SCENES for pathology in scene.pathologies]
IDS = [f"{scene.anatomy}/{pathology}" for scene, pathology in CASES]
EXPECTED = {
    "brain": {"normal", "glioma", "meningioma", "pituitary tumor", "multiple sclerosis", "infarct"},
    "knee": {"normal", "meniscal tear", "joint effusion"},
    "lumbar spine": {"normal", "disc herniation", "compression fracture"},
    "breast": {"normal", "malignant tumor"},
}


def _scene(anatomy: str) -> Scene:
    return next(scene for scene in SCENES if scene.anatomy == anatomy)


@cache
def _patient(scene: Scene, pathology: str, seed: int) -> list[Drawn]:
    """Two images of a patient, drawn once for all tests that only look at them."""
    return scene.draw(pathology, np.random.default_rng(seed), 2)


def _patients(anatomy: str, pathology: str, count: int, images: int = 1) -> list[list[Drawn]]:
    return [_scene(anatomy).draw(pathology, np.random.default_rng([7, seed]), images) for seed in range(count)]


def _plain(**changes: object) -> Scanner:
    values: dict[str, object] = {
        "zoom": 1.0, "turn": 0.0, "shift": (0.0, 0.0), "noise": 0.0, "resolution": (1.0, 1.0), "apodized": 1.0,
        "coil": 0.0, "coil_at": (0.0, 0.0), "surface": 0.0, "ghost": 0.0, "ghost_pixels": 40, "ghost_down": True,
        "white": 1.0, "black": 0.0, "gamma": 1.0, "frame": (0, 0),
    }  # fmt: skip
    return Scanner(**{**values, **changes})  # type: ignore[arg-type]


def _disc(scanner: Scanner) -> np.ndarray:
    rng = np.random.default_rng(3)
    painted = Slice(sequence=t.spin_echo_t1(rng), mm=1.0)
    painted.paint(painted.ellipse(0, 0, 50), t.FAT)
    bright = painted.sequence.signal(t.FAT) * 1.5
    return acquire(scanner, painted, generator=rng, view="", bright=bright, diseased=False).pixels.astype(np.float64)


def test_scenes_have_the_labels() -> None:
    assert {scene.anatomy: set(scene.pathologies) for scene in SCENES} == EXPECTED
    assert all(scene.modality == "MR" and scene.pathologies[0] == NORMAL for scene in SCENES)


@pytest.mark.parametrize(("scene", "pathology"), CASES, ids=IDS)
def test_every_label_draws(scene: Scene, pathology: str) -> None:
    for seed in range(2):
        drawn = _patient(scene, pathology, seed)
        assert len(drawn) == 2
        for image in drawn:
            assert image.pixels.shape == (SIDE, SIDE)
            assert image.pixels.dtype == np.uint8
            assert image.pixels.std() > 8
            assert image.view.split()[0] in {"axial", "coronal", "sagittal"}
            assert (image.lesion is None) == (pathology == NORMAL)
            if image.lesion is not None:
                assert image.lesion.size_mm > 0
                assert 0 <= image.lesion.x <= 1
                assert 0 <= image.lesion.y <= 1
                assert image.lesion.place


@pytest.mark.parametrize(("scene", "pathology"), CASES, ids=IDS)
def test_state_decides_everything(scene: Scene, pathology: str) -> None:
    first, other = (_patient(scene, pathology, seed) for seed in (0, 1))
    again = scene.draw(pathology, np.random.default_rng(0), 2)
    assert all(np.array_equal(a.pixels, b.pixels) and a.lesion == b.lesion for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].pixels, other[0].pixels)
    assert not np.array_equal(first[0].pixels, first[1].pixels)


@pytest.mark.parametrize("anatomy", EXPECTED)
def test_images_of_a_patient_are_more_alike_than_of_two(anatomy: str) -> None:
    patients = _patients(anatomy, NORMAL, 4, images=2)
    small = [[image.pixels.reshape(28, 8, 28, 8).mean(axis=(1, 3)).ravel() for image in each] for each in patients]
    within = np.mean([np.corrcoef(first, second)[0, 1] for first, second in small])
    between = np.mean([np.corrcoef(small[i][0], small[j][1])[0, 1] for i in range(4) for j in range(4) if i != j])
    assert within > between + 0.05


def test_signals_are_ordered_as_the_weighting_says() -> None:
    rng = np.random.default_rng(0)
    t1, t2, dark = t.spin_echo_t1(rng), t.spin_echo_t2(rng), t.flair(rng)
    assert t1.signal(t.FAT) > t1.signal(t.WHITE_MATTER) > t1.signal(t.GRAY_MATTER) > t1.signal(t.CEREBROSPINAL_FLUID)
    assert t2.signal(t.CEREBROSPINAL_FLUID) > t2.signal(t.GRAY_MATTER) > t2.signal(t.WHITE_MATTER)
    assert dark.signal(t.CEREBROSPINAL_FLUID) < 0.3 * dark.signal(t.GRAY_MATTER)
    assert dark.signal(t.EDEMA) > dark.signal(t.WHITE_MATTER)
    assert max(each.signal(t.BONE) for each in (t1, t2, dark)) < 0.1


def test_signal_of_a_spin_echo_is_the_equation() -> None:
    sequence = t.PulseSequence(name="T1", repetition_ms=500, echo_ms=10)
    expected = 0.7 * (1 - np.exp(-500 / 600)) * np.exp(-10 / 78)
    assert sequence.signal(t.WHITE_MATTER) == pytest.approx(expected)


def test_contrast_brightens_what_takes_it_up_only() -> None:
    plain = t.PulseSequence(name="T1", repetition_ms=500, echo_ms=12)
    given = t.PulseSequence(name="T1 with contrast", repetition_ms=500, echo_ms=12, contrast=True)
    assert given.signal(t.PITUITARY) > 1.4 * plain.signal(t.PITUITARY)
    assert given.signal(t.CEREBROSPINAL_FLUID) == plain.signal(t.CEREBROSPINAL_FLUID)


def test_fat_suppression_takes_fat_away_and_leaves_water() -> None:
    plain = t.PulseSequence(name="PD", repetition_ms=3000, echo_ms=35)
    suppressed = t.PulseSequence(name="PD", repetition_ms=3000, echo_ms=35, fat_suppression=0.9)
    assert suppressed.signal(t.FAT) < 0.2 * plain.signal(t.FAT)
    assert suppressed.signal(t.SYNOVIAL_FLUID) == plain.signal(t.SYNOVIAL_FLUID)


def test_noise_is_rician() -> None:
    air = _disc(_plain(noise=0.03))[:40, :40] / 255
    # Where there is no signal the magnitude has a Rayleigh distribution: mean / deviation = 1.91.
    assert air.mean() == pytest.approx(0.03 * np.sqrt(np.pi / 2), rel=0.12)
    assert air.mean() / air.std() == pytest.approx(1.91, abs=0.2)


def test_fewer_steps_of_k_space_blur_and_a_sharp_cut_rings() -> None:
    fine, coarse = _disc(_plain()), _disc(_plain(resolution=(0.4, 0.4)))
    assert np.abs(np.diff(coarse, axis=1)).max() < 0.8 * np.abs(np.diff(fine, axis=1)).max()
    ringing = _disc(_plain(resolution=(0.5, 0.5), apodized=0.0))
    assert ringing[102:122, 102:122].mean() == pytest.approx(fine[102:122, 102:122].mean(), rel=0.03)
    assert ringing.max() > fine.max() + 4


def test_ghosts_lie_beside_the_body() -> None:
    ghosted = _disc(_plain(ghost=0.1, ghost_pixels=60))
    clean = _disc(_plain())
    assert ghosted[190:215, 112].mean() > clean[190:215, 112].mean() + 5


def test_air_is_dark() -> None:
    for anatomy in ("brain", "breast"):
        corners = [image.pixels[4:16, 24:36].mean() for (image,) in _patients(anatomy, NORMAL, 4)]
        assert np.median(corners) < 20


def test_lesions_have_the_sign_of_their_physics() -> None:
    effusions = [each.lesion for (each,) in _patients("knee", "joint effusion", 4)]
    tumors = [each.lesion for (each,) in _patients("breast", "malignant tumor", 5)]
    assert all(lesion is not None and lesion.contrast > 0 for lesion in effusions)
    assert all(lesion is not None and lesion.contrast > 0 for lesion in tumors)


def test_infarct_is_bright_in_flair_and_dark_in_plain_t1() -> None:
    contrasts: dict[str, list[float]] = {"FLAIR": [], "T1": []}
    for (image,) in _patients("brain", "infarct", 18):
        sequence = image.view.split(maxsplit=1)[1]
        if sequence in contrasts and image.lesion is not None:
            contrasts[sequence].append(image.lesion.contrast)
    assert min(len(values) for values in contrasts.values()) > 0
    assert np.mean(contrasts["FLAIR"]) > 0.03
    assert np.mean(contrasts["T1"]) < 0


def test_herniation_is_darker_than_the_fluid_around_it_in_t2() -> None:
    lesions = [
        image.lesion for (image,) in _patients("lumbar spine", "disc herniation", 8) if image.view.endswith("T2")
    ]
    assert lesions
    assert np.mean([lesion.contrast for lesion in lesions if lesion is not None]) < 0


def test_most_lesions_are_seen_at_a_glance() -> None:
    for anatomy, pathology in (("brain", "glioma"), ("brain", "meningioma"), ("breast", "malignant tumor")):
        lesions = [image.lesion for (image,) in _patients(anatomy, pathology, 5)]
        assert np.median([abs(lesion.contrast) for lesion in lesions if lesion is not None]) > 0.05
