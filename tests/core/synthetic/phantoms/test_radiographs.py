"""Phantom radiographs: what they show, that they are reproducible, and that the physics holds."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radcbir_core.synthetic.phantoms.radiographs import SCENES
from radcbir_core.synthetic.phantoms.radiographs.chest_body import draw_build, draw_trunk, heart_chord
from radcbir_core.synthetic.phantoms.radiographs.chest_lungs import grow
from radcbir_core.synthetic.phantoms.radiographs.chest_signs import fall_ill
from radcbir_core.synthetic.phantoms.radiographs.exposure import (
    CHEST_BEAM,
    LIMB_BEAM,
    Exposure,
    absorbed,
    displayed,
    noisy,
)
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame
from radcbir_core.synthetic.phantoms.radiographs.limb import Motion, clipped, oval, part, thickness
from radcbir_core.synthetic.phantoms.radiographs.shapes import curve, fill, inset, ribbon, table
from radcbir_core.synthetic.phantoms.scenes import NORMAL, SIDE, Drawn, Scene

LABELS = [(scene, pathology) for scene in SCENES for pathology in scene.pathologies]
NAMES = [f"{scene.anatomy}-{pathology}" for scene, pathology in LABELS]
CHEST, HAND, KNEE = SCENES


@cache
def patient(scene: Scene, pathology: str, seed: int) -> list[Drawn]:
    """Two images of a patient, drawn once for all tests that only look at them."""
    return scene.draw(pathology, np.random.default_rng(seed), 2)


def plain(**changes: float) -> Exposure:
    """An exposure without scatter or blur, displayed on a straight line."""
    settings = {
        "scatter": 0.0,
        "scatter_reach": 15.0,
        "photons": 1e5,
        "softness": 0.0,
        "black": 0.0,
        "white": 4.0,
        "contrast": 0.0,
    }
    return Exposure(beam=CHEST_BEAM, **(settings | changes))


def trunk_with(pathology: str, seed: int):
    """(build, normal trunk, trunk with the finding, finding) of one patient, seen straight."""
    generator = np.random.default_rng(seed)
    build = draw_build(generator)
    trees = [grow(generator, build, side=side) for side in (-1.0, 1.0)]
    sick = fall_ill(pathology, generator, build, trees)
    frame = Frame(mm_per_pixel=1.7, cx=112, cy=38)
    well = draw_trunk(build, frame)
    ill = draw_trunk(build, frame, heart_share=sick.heart_share)
    finding = sick.apply(ill, frame)
    return build, well, ill, finding


def test_scenes_have_the_labels_of_the_modality():
    assert [scene.anatomy for scene in SCENES] == ["chest", "hand", "knee"]
    assert {scene.modality for scene in SCENES} == {"XR"}
    assert CHEST.pathologies == (
        "normal",
        "cardiomegaly",
        "pleural effusion",
        "pneumothorax",
        "consolidation",
        "nodule",
        "edema",
    )
    assert HAND.pathologies == KNEE.pathologies == ("normal", "fracture", "osteoarthritis")


@pytest.mark.parametrize(("scene", "pathology"), LABELS, ids=NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_draws_images_of_the_label(scene, pathology, seed):
    drawn = patient(scene, pathology, seed)
    assert len(drawn) == 2
    for image in drawn:
        assert image.pixels.shape == (SIDE, SIDE)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.std() > 15
        assert image.view in {"PA", "AP", "oblique", "lateral"}
        assert (image.lesion is not None) == (pathology != NORMAL)
        if image.lesion is not None:
            assert 8 < image.lesion.size_mm < 320
            assert 0 <= image.lesion.x <= 1
            assert 0 <= image.lesion.y <= 1
            assert image.lesion.place
    if pathology != NORMAL:
        assert drawn[0].lesion.place == drawn[1].lesion.place
        assert abs(drawn[0].lesion.size_mm - drawn[1].lesion.size_mm) < 25


@pytest.mark.parametrize(("scene", "pathology"), LABELS, ids=NAMES)
def test_one_state_gives_the_same_bytes_and_two_seeds_differ(scene, pathology):
    first, other = (patient(scene, pathology, seed)[0] for seed in (0, 1))
    again = scene.draw(pathology, np.random.default_rng(0), 1)[0]
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.lesion == again.lesion
    assert np.abs(first.pixels.astype(int) - other.pixels).mean() > 5


def test_unknown_finding_is_refused():
    with pytest.raises(KeyError):
        CHEST.draw("gout", np.random.default_rng(0), 1)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.anatomy for scene in SCENES])
def test_images_of_a_patient_are_alike_but_not_the_same(scene):
    patients = [scene.draw(NORMAL, np.random.default_rng([7, index]), 2) for index in range(5)]
    small = np.array(
        [[drawn.pixels.reshape(28, 8, 28, 8).mean(axis=(1, 3)).ravel() for drawn in patient] for patient in patients]
    )
    similar = np.corrcoef(np.concatenate([small[:, 0], small[:, 1]]))
    same = np.array([similar[index, index + 5] for index in range(5)])
    others = np.array([similar[i, j + 5] for i in range(5) for j in range(5) if i != j])
    assert same.mean() > others.mean() + 0.1
    assert all(not np.array_equal(patient[0].pixels, patient[1].pixels) for patient in patients)


def test_open_air_is_black_and_bone_brighter_than_soft_tissue():
    soft, bone = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    soft[:, 80:], bone[:, 150:] = 10, 2
    shown = displayed(absorbed(soft, bone, plain()), plain())
    assert shown[:, :80].max() == 0
    assert shown[:, 160:].min() > shown[:, 80:150].max() > 0


def test_attenuation_follows_beer_and_lambert():
    soft, bone = np.full((SIDE, SIDE), 7, np.float32), np.full((SIDE, SIDE), 0.8, np.float32)
    expected = 7 * CHEST_BEAM.soft + 0.8 * CHEST_BEAM.bone
    np.testing.assert_allclose(absorbed(soft, bone, plain()), expected, rtol=1e-4)
    # Bone stands out more at the lower energy of a limb: 0.8 cm of it against as much water.
    assert LIMB_BEAM.bone / LIMB_BEAM.soft > CHEST_BEAM.bone / CHEST_BEAM.soft


def test_scatter_takes_contrast():
    soft, bone = np.full((SIDE, SIDE), 8, np.float32), np.zeros((SIDE, SIDE), np.float32)
    bone[100:120, 100:120] = 2
    clear, veiled = absorbed(soft, bone, plain()), absorbed(soft, bone, plain(scatter=0.5))

    def step(image):
        return image[110, 110] - image[30, 30]

    assert 0 < step(veiled) < 0.8 * step(clear)


def test_noise_grows_with_thickness_and_falls_with_exposure():
    generator = np.random.default_rng(0)
    clean = np.ones((SIDE, SIDE), np.float32)
    clean[:, 112:] = 4
    grain = noisy(clean, plain(photons=1e4), generator) - clean
    assert grain[:, 112:].std() > 3 * grain[:, :112].std()
    fine = noisy(clean, plain(photons=1e6), generator) - clean
    assert fine.std() < 0.2 * grain.std()


@pytest.mark.parametrize("seed", range(3))
def test_lung_is_darker_than_heart_and_belly_and_air_beside_the_body_is_black(seed):
    build, trunk, _, _ = trunk_with("cardiomegaly", seed)
    shown = absorbed(trunk.soft(build.lung), trunk.bone, plain())
    lung, heart = shown[trunk.inside > 0.9].mean(), shown[(trunk.heart > 0.9) & (trunk.above_dome > 1)].mean()
    belly = shown[(trunk.above_dome < -4) & (np.abs(trunk.x) < 6) & (trunk.x < 0)].mean()
    assert lung < 0.75 * heart
    assert lung < 0.75 * belly
    assert shown[trunk.body == 0].max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_effusion_is_brighter_than_the_lung_and_lies_at_its_base(seed):
    build, well, ill, finding = trunk_with("pleural effusion", seed)
    before, after = (absorbed(trunk.soft(build.lung), trunk.bone, plain()) for trunk in (well, ill))
    where = (finding.mask > 0.5) & (well.inside > 0.5)
    assert where.any()
    assert (after - before)[where].mean() > 0.3
    assert well.y[where].mean() > well.y[well.inside > 0.5].mean()
    other = (np.sign(well.x) != np.sign(well.x[where].mean())) & (well.x != 0)
    np.testing.assert_array_equal(after[other], before[other])


@pytest.mark.parametrize("seed", range(4))
def test_pneumothorax_is_darker_than_lung_and_has_no_vessels(seed):
    generator = np.random.default_rng(seed)
    build = draw_build(generator)
    sick = fall_ill("pneumothorax", generator, build, [])
    frame = Frame(mm_per_pixel=1.7, cx=112, cy=38)
    trunk, well = draw_trunk(build, frame), draw_trunk(build, frame)
    trunk.vessels += 1.0
    finding = sick.apply(trunk, frame)
    gap = finding.mask > 0.95
    assert gap.sum() > 100
    assert np.median(trunk.vessels[gap]) < 0.05
    assert (trunk.soft(build.lung) - well.soft(build.lung))[gap].mean() < -0.5


@pytest.mark.parametrize("pathology", ["consolidation", "nodule", "edema"])
@pytest.mark.parametrize("seed", range(3))
def test_opacities_are_brighter_than_what_they_replace(pathology, seed):
    build, well, ill, finding = trunk_with(pathology, seed)
    change = ill.soft(build.lung) - well.soft(build.lung)
    assert change[finding.mask > 0.6].mean() > 0.8


def test_an_enlarged_heart_is_wider_than_half_the_chest_and_a_normal_one_is_not():
    for seed in range(8):
        build, well, ill, finding = trunk_with("cardiomegaly", seed)

        def ratio(trunk):
            seen = (trunk.heart > 0.5).any(axis=0).sum() * 0.17
            inner = (trunk.wall > 0).any(axis=0).sum() * 0.17
            return seen / inner

        assert ratio(well) < 0.5 < ratio(ill)
        assert finding.size_cm > 0.5 * 28 * build.width
        thickness_map, share, half, _ = heart_chord(well.x, well.y, build)
        assert thickness_map.max() < 14
        assert share.max() <= 1
        assert half < 0.25 * 28 * build.width


@pytest.mark.parametrize("pathology", ["pleural effusion", "consolidation", "nodule", "cardiomegaly"])
def test_displayed_contrast_has_the_sign_of_the_finding(pathology):
    contrasts = [CHEST.draw(pathology, np.random.default_rng([3, seed]), 1)[0].lesion.contrast for seed in range(10)]
    assert min(contrasts) > 0


def test_displayed_pneumothorax_is_dark_mostly():
    lesions = [CHEST.draw("pneumothorax", np.random.default_rng([4, seed]), 1)[0].lesion for seed in range(10)]
    assert np.mean([lesion.contrast < 0 for lesion in lesions]) >= 0.8


def test_nodules_are_at_most_three_centimeters():
    for seed in range(10):
        lesion = CHEST.draw("nodule", np.random.default_rng([5, seed]), 1)[0].lesion
        assert 13 < lesion.size_mm < 33
        assert "zone" in lesion.place


def test_a_fracture_leaves_a_gap_without_cortex():
    bone = oval(0, 0, 1.0, 3.0, cortex=0.2, depth=1.0)
    lower, upper = part(bone, (0, 0), (0, 1)), part(bone, (0, 0), (0, -1))
    apart = Motion(dy=0.5).bone(lower)
    frame = Frame(mm_per_pixel=1.0, cx=112, cy=112)
    grain = np.zeros((SIDE, SIDE), np.float32)
    whole = thickness([bone], frame, marrow=0.5, grain=grain)
    broken = thickness([upper, apart], frame, marrow=0.5, grain=grain)
    assert whole[114, 112] > 0.2
    assert broken[114, 112] == 0
    # The shaft's cortex is denser than its middle; the broken face is not closed by cortex.
    assert whole[112, 103] > 1.3 * whole[112, 112]
    assert broken[109, 112] < 1.1 * whole[109, 112]


def test_clipping_keeps_the_area():
    square = np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)])

    def area(outline):
        x, y = outline[:, 0], outline[:, 1]
        return abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2

    one, two = clipped(square, (1.0, 0.0), (1.0, 0.3)), clipped(square, (1.0, 0.0), (-1.0, -0.3))
    assert area(one) + area(two) == pytest.approx(16)
    assert len(clipped(square, (9.0, 0.0), (1.0, 0.0))) == 0
    assert area(inset(square, 0.5)) < 16


def test_frame_maps_there_and_back_and_moves_what_is_in_front():
    frame = Frame(mm_per_pixel=1.6, cx=100, cy=50, turn=0.2, yaw=0.1, tilt=0.05, mirror=True)
    x, y = frame.centimeters()
    np.testing.assert_allclose(frame.pixels([(x[90, 30], y[90, 30])]), [(30, 90)], atol=1e-3)
    x, y = frame.centimeters(depth=4.0)
    np.testing.assert_allclose(frame.pixels([(x[90, 30], y[90, 30], 4.0)]), [(30, 90)], atol=1e-3)
    assert not np.allclose(frame.pixels([(1.0, 2.0, 4.0)]), frame.pixels([(1.0, 2.0, -4.0)]))


def test_shapes():
    line = curve([(10.0, 20.0), (60.0, 20.0), (110.0, 20.0)])
    band = fill([ribbon(line, 5.0)])
    assert band.max() == 1
    assert band.sum() == pytest.approx(100 * 10, rel=0.05)
    ramp = np.linspace(0, 10, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    values = table((0, 5, 10), (1.0, 2.0, 2.0), ramp)
    assert values.min() >= 0.99
    assert values.max() <= 2.01
    assert values[0, 0] == pytest.approx(1.0, abs=0.05)
