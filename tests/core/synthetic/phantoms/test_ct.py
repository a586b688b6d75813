"""CT phantoms: every label draws, the same seed gives the same bytes, patients differ, and the physics holds."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from radcbir_core.synthetic.phantoms.ct import SCENES, tissue
from radcbir_core.synthetic.phantoms.ct.outlines import band, curve, ellipse, inset, mirrored
from radcbir_core.synthetic.phantoms.ct.plane import Plane, soften
from radcbir_core.synthetic.phantoms.ct.scanner import Scanner
from radcbir_core.synthetic.phantoms.scenes import SIDE

LABELS = [(scene, pathology) for scene in SCENES for pathology in scene.pathologies]
NAMES = [f"{scene.anatomy} {pathology}" for scene, pathology in LABELS]
BRIGHT = {"hemorrhage", "nodule", "ground-glass opacity", "pleural effusion", "kidney stone"}
WATER = 0.0
DARK = {"infarct", "emphysema", "liver lesion", "renal cyst"}


def _scene(anatomy):
    return next(scene for scene in SCENES if scene.anatomy == anatomy)


@cache
def _patient(scene, pathology, seed):
    """Two images of a patient, drawn once for all tests that only look at them."""
    return scene.draw(pathology, np.random.default_rng([1, seed]), 2)


def _reduced(pixels):
    return pixels.reshape(32, 7, 32, 7).mean(axis=(1, 3)).ravel()


def _plane(mm_per_pixel=1.0):
    return Plane(mm_per_pixel, SIDE / 2 - 0.5, SIDE / 2 - 0.5)


def _scanner(**changes):
    settings = {
        "mm_per_pixel": 1.0,
        "shift": (0.0, 0.0),
        "angle": 0.0,
        "blur_mm": 0.6,
        "noise": 10.0,
        "streaks": 0.3,
        "grain": (0.5, 2.0),
        "center": 50.0,
        "width": 400.0,
        "black": 0.0,
        "circle": float(SIDE),
    }
    return Scanner(**(settings | changes))


def test_labels():
    assert [(scene.modality, scene.anatomy, scene.pathologies) for scene in SCENES] == [
        ("CT", "head", ("normal", "hemorrhage", "infarct", "mass")),
        ("CT", "chest", ("normal", "nodule", "ground-glass opacity", "emphysema", "pleural effusion")),
        ("CT", "abdomen", ("normal", "liver lesion", "kidney stone", "renal cyst", "ascites")),
    ]


@pytest.mark.parametrize(("scene", "pathology"), LABELS, ids=NAMES)
def test_every_label_draws(scene, pathology):
    contrasts = []
    for seed in range(3):
        drawn = _patient(scene, pathology, seed)
        assert len(drawn) == 2
        for image in drawn:
            assert image.pixels.shape == (SIDE, SIDE)
            assert image.pixels.dtype == np.uint8
            assert image.pixels.std() > 10
            assert image.view == "axial"
            assert (image.lesion is None) == (pathology == "normal")
            if image.lesion is not None:
                assert image.lesion.size_mm > 0
                assert 0 <= image.lesion.x <= 1
                assert 0 <= image.lesion.y <= 1
                assert image.lesion.place
                contrasts.append(image.lesion.contrast)
        assert not np.array_equal(drawn[0].pixels, drawn[1].pixels)
    # Of a few patients one may be spoiled by what happens to lie beside the lesion.
    if pathology in BRIGHT:
        assert np.mean(np.array(contrasts) > 0) > 0.75
    if pathology in DARK:
        assert np.mean(np.array(contrasts) < 0) > 0.75


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.anatomy)
def test_one_state_gives_the_same_bytes_and_another_does_not(scene):
    pathology = scene.pathologies[-1]
    first, other = (_patient(scene, pathology, seed) for seed in (0, 1))
    again = scene.draw(pathology, np.random.default_rng([1, 0]), 2)
    for one, two in zip(first, again, strict=True):
        assert one.pixels.tobytes() == two.pixels.tobytes()
        assert one.lesion == two.lesion
    assert first[0].pixels.tobytes() != other[0].pixels.tobytes()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.anatomy)
def test_images_of_a_patient_are_more_alike_than_of_two(scene):
    patients = [_patient(scene, "normal", seed) for seed in range(4)]
    within = [np.corrcoef(*(_reduced(image.pixels) for image in images))[0, 1] for images in patients]
    between = [
        np.corrcoef(_reduced(one[0].pixels), _reduced(two[0].pixels))[0, 1] for one, two in itertools.pairwise(patients)
    ]
    assert np.mean(within) > 0.9
    assert np.mean(within) > np.mean(between) + 0.1


def test_effusion_is_brighter_than_lung_and_lies_behind():
    lower = 0
    for seed in range(8):
        image = _scene("chest").draw("pleural effusion", np.random.default_rng([3, seed]), 1)[0]
        x, y = int(image.lesion.x * SIDE), int(image.lesion.y * SIDE)
        fluid = image.pixels[y - 1 : y + 2, x - 1 : x + 2].mean()
        lung = np.median(image.pixels[y - 45 : y - 25, x - 3 : x + 4])
        lower += fluid > lung + 40
    assert lower >= 7


def test_stone_is_the_brightest_in_its_kidney():
    bright = 0
    for seed in range(8):
        image = _scene("abdomen").draw("kidney stone", np.random.default_rng([4, seed]), 1)[0]
        x, y = int(image.lesion.x * SIDE), int(image.lesion.y * SIDE)
        bright += image.pixels[y - 4 : y + 5, x - 4 : x + 5].max() >= 250
    assert bright >= 7


def test_clot_is_brighter_than_the_other_half_of_the_brain():
    brighter = 0
    for seed in range(8):
        image = _scene("head").draw("hemorrhage", np.random.default_rng([5, seed]), 1)[0]
        x, y = int(image.lesion.x * SIDE), int(image.lesion.y * SIDE)
        brain = image.pixels[(image.pixels > 60) & (image.pixels < 250)]
        brighter += image.pixels[y - 2 : y + 3, x - 2 : x + 3].mean() > np.median(brain) + 20
    assert brighter >= 6


def test_the_window_is_linear_and_clips():
    scanner = _scanner()
    shown = scanner.windowed(np.float32([[-1000, -150, 50, 250, 3000]]))
    np.testing.assert_allclose(shown[0], [0, 0, 0.5, 1, 1], atol=1e-6)
    assert scanner.windowed(np.float32([[-1000]]))[0, 0] == 0
    assert _scanner(black=0.2).windowed(np.float32([[-1000]]))[0, 0] == pytest.approx(0.2)


def test_air_is_black_and_outside_the_circle_nothing_is_reconstructed():
    water = np.zeros((SIDE, SIDE), dtype=np.float32)
    generator = np.random.default_rng(0)
    air = _scanner().show(water + tissue.AIR, generator, view="axial").pixels
    assert air.max() == 0
    image = _scanner(circle=SIDE / 2).show(water + 100, generator, view="axial").pixels
    assert image[0, 0] == 0
    assert image[SIDE // 2, SIDE // 2] > 100


def test_noise_has_the_deviation_of_the_settings_and_is_stronger_within_thick_parts():
    plane = _plane()
    layer = plane.densities(tissue.AIR)
    layer.fill(ellipse(0, 0, 100, 60), WATER)
    densities = layer.done()
    for noise in (5.0, 20.0):
        wide = _scanner(noise=noise, width=2000.0, center=0.0, streaks=0.0)
        image = wide.show(densities, np.random.default_rng(1), view="axial").pixels.astype(float) * 2000 / 255
        middle, edge = image[102:122, 92:132].std(), image[102:122, 14:26].std()
        assert middle == pytest.approx(noise, rel=0.35)
        assert edge < middle


def test_partial_volume_and_point_spread_keep_the_mass():
    plane = _plane(2.0)
    layer = plane.shares()
    layer.fill(ellipse(0, 0, 60, 40))
    share = layer.done()
    assert share.sum() * 4 == pytest.approx(np.pi * 60 * 40, rel=0.03)
    assert soften(share, 2.0).sum() == pytest.approx(share.sum(), rel=1e-3)
    assert soften(share, 2.0).max() <= 1 + 1e-5


def test_bands_lie_inside_their_wall():
    wall = curve(mirrored([(0, -80), (50, -50), (60, 0), (45, 60), (0, 80)]))
    smaller = inset(wall, 10)
    assert np.abs(smaller).max() < np.abs(wall).max()
    crescent = band(wall, 0.15, 0.35, 12, profile=0.5, outside=0)
    assert np.isfinite(crescent).all()
    assert crescent[:, 0].max() <= wall[:, 0].max() + 0.1
    assert crescent[:, 0].min() > 20


def test_the_patients_left_is_at_the_images_right():
    for scene, pathology in (("head", "hemorrhage"), ("abdomen", "kidney stone"), ("abdomen", "renal cyst")):
        left, right = [], []
        for seed in range(8):
            lesion = _scene(scene).draw(pathology, np.random.default_rng([6, seed]), 1)[0].lesion
            (left if lesion.place.startswith("left") else right).append(lesion.x)
        assert np.mean(left) > np.mean(right) + 0.15
