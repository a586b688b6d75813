"""Ribs, spine, clavicles, scapulae and upper arms in the frontal view, as bone thickness in cm.

A rib is a ring in space, seen from behind near the spine and from the front where it slopes down toward the
breastbone; cartilage does not show. Cortical shells make the edges of a bone brighter than its middle.
"""

from __future__ import annotations

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, smooth_step
from radcbir_core.synthetic.phantoms.radiographs.chest_body import HEIGHT, Build
from radcbir_core.synthetic.phantoms.radiographs.frame import Frame, Points
from radcbir_core.synthetic.phantoms.radiographs.shapes import curve, fill, inset, ribbon

_HALF_WIDTH = np.array([5.4, 8.4, 10.4, 11.8, 12.8, 13.4, 13.8, 14.0, 14.1, 14.0, 13.2, 10.5])
_DEPTH = np.array([3.5, 5.0, 6.2, 7.2, 8.0, 8.5, 8.8, 9.0, 9.0, 9.0, 9.0, 9.0])
_DROP = np.array([4.0, 5.5, 7.0, 8.3, 9.2, 9.8, 10.2, 10.4, 10.4, 10.0, 8.5, 6.0])
_END = np.array([2.75, 2.55, 2.5, 2.45, 2.4, 2.32, 2.25, 2.15, 2.05, 1.9, 1.6, 1.25])
_SPACING = 2.32


def bones(build: Build, frame: Frame, *, breath: float, shoulder: float, sag: float) -> Field:
    """All bones of the view, thickness in cm times mineral, (SIDE, SIDE).

    Args:
        build: The patient.
        frame: The view.
        breath: Depth of the breath; ribs rise a little with it.
        shoulder: How far the shoulder blades are rolled outward, cm.
        sag: How far the outer end of the collar bones hangs, cm.
    """
    stretch = (0.35 + 0.65 * build.inspiration * breath / HEIGHT) * 1.0
    behind, before = _rib_paths(build, stretch)
    total = _spine(build, frame, stretch)
    wide = frame.scale
    for paths, outer, shell, amount in ((behind, 0.62, 0.16, 0.75), (before, 0.72, 0.15, 0.56)):
        flat = [frame.pixels(path) for path in paths]
        hull = fill([ribbon(path, outer * wide) for path in flat])
        core = fill([ribbon(path, (outer - shell) * wide) for path in flat])
        total += np.float32(amount) * (hull - np.float32(0.5) * core)
    total += _shoulders(build, frame, shoulder=shoulder, sag=sag)
    return total * np.float32(build.bone)


def _rib_paths(build: Build, stretch: float) -> tuple[list[Points], list[Points]]:
    """(posterior, anterior) parts of all ribs: lists of (N, 3) points in cm."""
    behind: list[Points] = []
    before: list[Points] = []
    for index in range(12):
        top = (0.3 + index * _SPACING) * stretch
        for side in (-1.0, 1.0):
            for start, end, parts in ((0.14, 1.62, behind), (1.5, _END[index], before)):
                stop = min(end, _END[index])
                if stop <= start + 0.1:
                    continue
                phi = np.linspace(start, stop, 14)
                x = side * _HALF_WIDTH[index] * build.width * np.sin(phi)
                hump = -0.75 * np.sin(2 * phi)
                y = top + stretch * (_DROP[index] * (1 - np.cos(phi)) / 2 + hump)
                parts.append(np.stack([x, y, -_DEPTH[index] * np.cos(phi)], axis=1))
    return behind, before


def _spine(build: Build, frame: Frame, stretch: float) -> Field:
    """Vertebrae from neck to belly: bodies, disc spaces, pedicles, spinous processes."""
    x, y = frame.centimeters(depth=-5.0)
    step = np.float32(_SPACING * stretch)
    phase = np.mod(y / step + np.float32(0.1), 1)
    disc = np.exp(-(((phase - np.float32(0.04)) / np.float32(0.075)) ** 2))
    disc += np.exp(-(((phase - np.float32(1.04)) / np.float32(0.075)) ** 2))
    waist = np.float32(1.55 * build.width) + np.float32(1.1) * (phase - np.float32(0.5)) ** 2
    waist = waist + np.clip(y, 0, 34) * np.float32(0.012)
    body = smooth_step(np.abs(x) - waist, 0.5) * (1 - np.float32(0.55) * disc)
    shell = np.exp(-(((np.abs(x) - waist + np.float32(0.1)) / np.float32(0.22)) ** 2)) * (1 - disc)
    near = (phase - np.float32(0.36)) ** 2 / np.float32(0.012)
    pedicle = np.exp(-near - ((np.abs(x) - np.float32(1.05)) / np.float32(0.38)) ** 2)
    spinous = np.exp(-((phase - np.float32(0.8)) ** 2) / np.float32(0.02) - (x / np.float32(0.3)) ** 2)
    process = np.exp(-near - ((np.abs(x) - np.float32(2.3)) / np.float32(0.8)) ** 2)
    total = np.float32(0.4) * body + np.float32(0.28) * shell + np.float32(0.35) * (pedicle + spinous)
    # The spine of neck and upper chest is slimmer, and so is what is around it.
    slim = np.float32(0.55) + np.float32(0.45) * np.clip((y + 4) / 16, 0, 1)
    return np.asarray((total + np.float32(0.3) * process) * slim, dtype=np.float32)


def _shoulders(build: Build, frame: Frame, *, shoulder: float, sag: float) -> Field:
    """Collar bones, shoulder blades and upper arms."""
    wide, scale = build.width, frame.scale
    hulls: list[Points] = []
    cores: list[Points] = []
    blades: list[Points] = []
    plates: list[Points] = []
    for side in (-1.0, 1.0):
        clavicle = curve(
            [
                (side * 1.7 * wide, 3.3, 6.5),
                (side * 4.5 * wide, 2.7, 6.5),
                (side * 8.5 * wide, 0.9 + 0.4 * sag, 5.5),
                (side * 12.5 * wide, 0.2 + sag, 3.0),
                (side * 16.3 * wide, 0.5 + 1.2 * sag, 1.0),
            ]
        )
        path = frame.pixels(clavicle)
        ends = 0.62 + 0.3 * np.abs(np.linspace(-1, 1, len(path))) ** 3
        hulls.append(ribbon(path, ends * scale))
        cores.append(ribbon(path, (ends - 0.22) * scale))

        arm = frame.pixels(
            curve([(side * 18.0 * wide, 2.6, 0), (side * 18.8 * wide, 5.0, 0), (side * 20 * wide, 22, 0)])
        )
        neck = np.interp(np.linspace(0, 1, len(arm)), [0, 0.1, 0.2, 0.55, 1], [1.6, 2.3, 2.1, 1.25, 1.15])
        hulls.append(ribbon(arm, neck * scale))
        cores.append(ribbon(arm, (neck - 0.38) * scale))

        out = shoulder
        blade = np.array(
            [
                (10.2 + out, 1.6),
                (13.0 + out, 2.2),
                (16.4 + 0.3 * out, 2.0),
                (16.6 + 0.3 * out, 4.6),
                (15.3 + 0.6 * out, 7.5),
                (12.6 + out, 14.0),
                (11.4 + out, 13.2),
                (10.4 + out, 7.5),
            ]
        )
        blade[:, 0] *= side * wide
        outline = frame.pixels(curve(np.column_stack([blade, np.full(len(blade), -6.0)]), closed=True))
        blades.append(outline)
        plates.append(inset(outline, 0.42 * scale))
        spine = [(side * (10.6 + out) * wide, 4.2, -6), (side * (13.8 + 0.7 * out) * wide, 2.0, -6)]
        acromion = curve([*spine, (side * 17.6 * wide, 0.7 + sag, -3)])
        plates.append(ribbon(frame.pixels(acromion), 0.1 * scale))
        hulls.append(ribbon(frame.pixels(acromion), np.linspace(0.25, 0.7, len(acromion)) * scale))
    tubes = fill(hulls) - np.float32(0.55) * fill(cores)
    plate = fill(blades) - np.float32(0.75) * fill(plates)
    return np.asarray(np.float32(0.85) * tubes + np.float32(0.5) * plate, dtype=np.float32)
