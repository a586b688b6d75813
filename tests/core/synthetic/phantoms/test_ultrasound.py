"""Ultrasound phantoms: every label draws, deterministically, with its ground truth and with the physics of its sign."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radcbir_core.synthetic.phantoms.scenes import NORMAL, Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound import SCENES
from radcbir_core.synthetic.phantoms.ultrasound.body import Body, Outline, Pattern, Probe, View
from radcbir_core.synthetic.phantoms.ultrasound.scanner import convex_scanner, linear_scanner

LABELS = [(scene, pathology) for scene in SCENES for pathology in scene.pathologies]
STEADY = View(shift_x=0, shift_z=0, tilt=0, turn=0, off=0)


def _draw(scene: Scene, pathology: str, seed: int, images: int = 2) -> list[Drawn]:
    return scene.draw(pathology, np.random.default_rng(seed), images)


@cache
def _patient(scene: Scene, pathology: str, seed: int) -> list[Drawn]:
    """Two images of a patient, drawn once for all tests that only look at them."""
    return _draw(scene, pathology, seed)


def _scene(anatomy: str) -> Scene:
    return next(scene for scene in SCENES if scene.anatomy == anatomy)


def _reduced(drawn: Drawn) -> np.ndarray:
    return drawn.pixels.reshape(28, 8, 28, 8).mean(axis=(1, 3))


def test_labels() -> None:
    assert {label for scene in SCENES for label in scene.labels} == {
        "US/breast/normal",
        "US/breast/benign tumor",
        "US/breast/malignant tumor",
        "US/liver/normal",
        "US/liver/steatosis",
        "US/liver/liver cyst",
        "US/liver/liver metastases",
        "US/kidney/normal",
        "US/kidney/kidney stone",
        "US/kidney/hydronephrosis",
        "US/kidney/renal cyst",
        "US/thyroid/normal",
        "US/thyroid/nodule",
        "US/gallbladder/normal",
        "US/gallbladder/gallstones",
        "US/lung/normal",
        "US/lung/B-lines",
        "US/lung/consolidation",
    }
    assert all(scene.pathologies[0] == NORMAL for scene in SCENES)


@pytest.mark.parametrize(("scene", "pathology"), LABELS)
def test_every_label_draws_with_its_ground_truth(scene: Scene, pathology: str) -> None:
    for seed in range(2):
        drawn = _patient(scene, pathology, seed)
        assert len(drawn) == 2
        for one in drawn:
            assert one.pixels.shape == (224, 224)
            assert one.pixels.dtype == np.uint8
            assert one.pixels.std() > 5
            assert one.view
            if pathology == NORMAL:
                assert one.lesion is None
            else:
                assert one.lesion is not None
                assert one.lesion.size_mm > 0
                assert 0 < one.lesion.x < 1
                assert 0 < one.lesion.y < 1
                assert one.lesion.place


@pytest.mark.parametrize(("scene", "pathology"), LABELS)
def test_one_state_gives_the_same_bytes_and_another_does_not(scene: Scene, pathology: str) -> None:
    first, other = (_patient(scene, pathology, seed)[0] for seed in (0, 1))
    again = _draw(scene, pathology, 0)[0]
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.lesion == again.lesion
    assert first.pixels.tobytes() != other.pixels.tobytes()


@pytest.mark.parametrize("scene", SCENES)
def test_images_of_one_patient_are_more_alike_than_of_two(scene: Scene) -> None:
    pairs = [_patient(scene, scene.pathologies[-1], seed) for seed in range(4)]
    within = [np.corrcoef(_reduced(a).ravel(), _reduced(b).ravel())[0, 1] for a, b in pairs]
    across = [
        np.corrcoef(_reduced(pairs[k][0]).ravel(), _reduced(pairs[k - 1][1]).ravel())[0, 1] for k in range(len(pairs))
    ]
    assert np.mean(within) > np.mean(across) + 0.1
    assert all(a.pixels.tobytes() != b.pixels.tobytes() for a, b in pairs)


@pytest.mark.parametrize(
    ("anatomy", "pathology", "sign"),
    [
        ("breast", "benign tumor", -1),
        ("breast", "malignant tumor", -1),
        ("liver", "liver cyst", -1),
        ("kidney", "renal cyst", -1),
        ("kidney", "hydronephrosis", -1),
        ("kidney", "kidney stone", 1),
        ("gallbladder", "gallstones", 1),
        ("lung", "B-lines", 1),
    ],
)
def test_contrast_has_the_sign_that_physics_gives_it(anatomy: str, pathology: str, sign: int) -> None:
    contrasts = []
    for seed in range(5):
        lesion = _draw(_scene(anatomy), pathology, seed, 1)[0].lesion
        assert lesion is not None
        contrasts.append(lesion.contrast)
    assert np.mean(np.sign(contrasts) == sign) >= 0.85
    assert sign * np.mean(contrasts) > 0.08


def _beam_levels(body: Body, kind: str) -> tuple[float, float]:
    """Mean grey behind a lump in the middle of the field, and beside that, at the same depth."""
    generator = np.random.default_rng(0)
    scanner = linear_scanner(generator, depth=50, width=50)
    drawn = scanner.show(body, generator, view=kind)
    row = int(scanner.top + 33 / scanner.mm_per_pixel)
    rows = drawn.pixels[row : row + 25].astype(float)
    middle, aside = round(scanner.left), round(scanner.left - 14 / scanner.mm_per_pixel)
    return rows[:, middle - 5 : middle + 6].mean(), rows[:, aside - 5 : aside + 6].mean()


def test_a_stone_casts_a_shadow() -> None:
    body = Body(Probe(depth=50, width=50), STEADY)
    front = body.stone(Outline((0, 22), (5, 4)).distance(body.x, body.z))
    assert front.max() == 1
    behind, beside = _beam_levels(body, "stone")
    assert behind < 0.3 * beside


def test_fluid_brightens_what_is_behind_it() -> None:
    body = Body(Probe(depth=50, width=50), STEADY)
    body.fluid(Outline((0, 20), (7, 7)).distance(body.x, body.z), wall=10)
    behind, beside = _beam_levels(body, "cyst")
    assert behind > 1.15 * beside


def test_attenuation_darkens_with_depth_and_compensation_hides_that_of_soft_tissue() -> None:
    probe = Probe(depth=50, width=50)
    rows = []
    for loss in (0.5, 1.0):
        body = Body(probe, STEADY)
        body.fill(np.ones_like(body.x), echo=0, loss=loss)
        generator = np.random.default_rng(0)
        scanner = linear_scanner(generator, depth=50, width=50)
        column = scanner.show(body, generator, view="plain").pixels[:, 60:160].mean(axis=1)
        shallow, deep = (int(scanner.top + at / scanner.mm_per_pixel) for at in (12, 40))
        rows.append(column[deep : deep + 9].mean() / column[shallow : shallow + 9].mean())
    assert rows[1] < 0.8 * rows[0]
    assert rows[0] > 0.6


def test_fully_developed_speckle_has_the_contrast_of_rayleigh() -> None:
    """One look's amplitude is Rayleigh-distributed: its mean over its deviation is 1.91 (Szabo, chapter 8)."""
    generator = np.random.default_rng(1)
    scanner = linear_scanner(generator, depth=50, width=50)
    body = Body(scanner.probe, STEADY)
    waves = np.stack([scanner._focused(generator.standard_normal((2, 240, 160), dtype=np.float32), body.mirror)])
    amplitude = np.sqrt((waves[0] ** 2).sum(axis=0))
    assert amplitude.mean() / amplitude.std() == pytest.approx(1.91, abs=0.1)
    assert (waves**2).mean() == pytest.approx(1, abs=0.1)


def test_a_sector_is_black_outside_and_wider_below() -> None:
    generator = np.random.default_rng(2)
    scanner = convex_scanner(generator, depth=120)
    pixels = scanner.show(Body(scanner.probe, STEADY), generator, view="plain").pixels
    bright = pixels > 20
    near = int(scanner.top + 12 / scanner.mm_per_pixel)
    far = int(scanner.top + 80 / scanner.mm_per_pixel)
    assert bright[far].sum() > 1.3 * bright[near].sum()
    assert pixels[near, 10:20].max() <= 10


def test_a_slice_resembles_the_next_one_and_not_one_far_away() -> None:
    pattern = Pattern(np.random.default_rng(0), Probe(depth=50, width=50), 5)
    body = Body(Probe(depth=50, width=50), STEADY)
    here, near, far = (pattern.at(body.x, body.z, turn).ravel() for turn in (0, 0.2, np.pi / 2))
    assert np.corrcoef(here, near)[0, 1] > 0.9
    assert abs(np.corrcoef(here, far)[0, 1]) < 0.4
    assert here.std() == pytest.approx(1, abs=0.2)


def test_gallstones_lie_low_in_bile_and_shadow_the_beams_behind_them() -> None:
    darker = []
    for seed in range(8):
        drawn = _draw(_scene("gallbladder"), "gallstones", seed, 1)[0]
        assert drawn.lesion is not None
        x, y = int(drawn.lesion.x * 224), int(drawn.lesion.y * 224)
        below = drawn.pixels[y + 14 : y + 34].astype(float)
        # The beam leans away from the middle in a sector: within a few pixels of straight down it is darkest.
        darker.append(below[:, max(x - 12, 0) : x + 13].mean(axis=0).min() < 0.6 * np.median(below))
    assert np.mean(darker) >= 0.75


def test_a_fatty_liver_fades_with_depth() -> None:
    ratios = {}
    for pathology in ("normal", "steatosis"):
        lesions = []
        for seed in range(5):
            pixels = _draw(_scene("liver"), pathology, seed, 1)[0].pixels.astype(float)
            middle = pixels[:, 90:134].mean(axis=1)
            rows = np.flatnonzero(middle > 8)
            depth = rows[-1] - rows[0]
            upper, lower = (middle[rows[0] + int(share * depth) :][:20].mean() for share in (0.3, 0.62))
            lesions.append(lower / upper)
        ratios[pathology] = np.mean(lesions)
    assert ratios["steatosis"] < 0.85 * ratios["normal"]


def test_a_b_line_reaches_the_depth_that_normal_lung_leaves_dark() -> None:
    levels = {}
    for pathology in ("normal", "B-lines"):
        drawn = [_draw(_scene("lung"), pathology, seed, 1)[0].pixels.astype(float) for seed in range(5)]
        # The brightest columns two thirds down.
        levels[pathology] = np.mean([np.sort(pixels[140:165].mean(axis=0))[-12:].mean() for pixels in drawn])
    assert levels["B-lines"] > 1.15 * levels["normal"]
