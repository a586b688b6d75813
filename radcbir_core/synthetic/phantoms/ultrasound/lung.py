"""Ultrasound of the lung with a convex or linear probe: normal, B-lines, consolidation.

Signs as in the international recommendations for point-of-care lung ultrasound (Volpicelli et al., Intensive Care Med
2012): a bright pleural line between two ribs with their shadows; A-lines, its copies at multiples of its depth, over
aerated lung; B-lines, laser-like rays from the pleural line to the edge of the screen that do not fade and erase
A-lines; consolidation, tissue-like, with a shredded deep edge and bright air bronchograms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radcbir_core.synthetic.phantoms.canvas import Field, log_uniform
from radcbir_core.synthetic.phantoms.scenes import Drawn, Scene
from radcbir_core.synthetic.phantoms.ultrasound.body import BEAMS, Body, Pattern, Probe, View, views
from radcbir_core.synthetic.phantoms.ultrasound.scanner import convex_scanner, linear_scanner

MUSCLE, FAT = -7.0, -6.0


class _Chest:
    """Chest wall, ribs, and the lung behind the pleural line, all as the beams see them."""

    def __init__(self, generator: np.random.Generator, probe: Probe) -> None:
        self.probe = probe
        share = log_uniform(generator, 0.13, 0.3) if probe.convex else log_uniform(generator, 0.24, 0.46)
        self.pleura = max(float(share * probe.depth), 11.0)
        self.skin = float(generator.uniform(1.2, 2.2))
        self.fat = self.skin + float(generator.uniform(0.2, 0.5)) * (self.pleura - self.skin)
        self.tilt = float(generator.normal(0, 0.09))
        self.curve = float(generator.normal(0, 1)) / 900
        gap = float(generator.uniform(25, 42))  # from one rib's middle to the next one's
        along = generator.random() < 0.28  # the probe lies along a rib space: no rib is seen
        first = float(generator.uniform(-0.75, -0.25)) * gap
        self.ribs = [] if along else [first + gap * number for number in range(-2, 4)]
        self.rib = (float(generator.uniform(5.0, 7.5)), float(generator.uniform(2.5, 4)))
        self.rib_depth = self.pleura - float(generator.uniform(4.5, 8.0)) - self.rib[1] * 0.4
        self.rib_loss = log_uniform(generator, 2.2, 7)
        self.rib_edge = float(generator.uniform(1.2, 5.0))  # how soft its shadow's edges are, mm
        self.rib_echo = float(generator.uniform(15, 21))
        self.fibers = Pattern(generator, probe, 17, 1.6)
        self.lobules = Pattern(generator, probe, 9, 3)
        self.bend = Pattern(generator, probe, 30, 30)
        self.rough = Pattern(generator, probe, 5, 5)
        self.columns = Pattern(generator, probe, 4.5, 300)
        self.haze = Pattern(generator, probe, 13, 4)
        self.veil = float(generator.uniform(-15, -6))  # level of the scattered echoes behind the pleura
        self.fade = log_uniform(generator, 1.0, 8.0)  # how they fall, dB/cm
        self.copies = log_uniform(generator, 0.25, 1.0)
        self.line = float(generator.uniform(19, 25))
        self.turned = 1 if generator.random() < 0.5 else -1

    def level(self, body: Body) -> Field:
        """Depth of the layers: straight for a linear probe, along its face for a convex one."""
        flat = 0.4 * body.depth + 0.6 * body.z if self.probe.convex else body.z
        level = flat + np.float32(self.tilt) * body.x + np.float32(self.curve) * body.x**2
        return np.asarray(level + 0.5 * self.bend.at(body.x, body.z, body.turn), dtype=np.float32)

    def front(self, below: Field) -> Field:
        """(1, BEAMS) depth along each beam, in mm, at which it meets the pleura."""
        row = np.argmax(below >= 0, axis=0)
        return np.asarray(row * np.float32(self.probe.step), dtype=np.float32)[None, :]

    def along(self, body: Body, below: Field) -> Field:
        """(1, BEAMS) where on the pleura each beam arrives, mm."""
        return np.take_along_axis(body.x, np.argmax(below >= 0, axis=0)[None, :], axis=0)

    def paint_lung(self, body: Body, below: Field, *, clean: Field) -> None:
        """Paints aerated lung: what seems to be there is reverberation.

        Args:
            body: Painted on.
            below: Signed distance below the pleura, mm.
            clean: (1, BEAMS) how much of the A-lines each beam shows.
        """
        deep = np.maximum(below, 0)
        lung = body.inside(-below)
        streaks = self.columns.at(body.x * self.front(below) / np.maximum(body.depth, 8), body.z * 0, body.turn)
        haze = self.haze.at(body.x, body.z, body.turn)
        echo = np.float32(self.veil) - deep / 10 * np.float32(self.fade) + 1.6 * streaks + 1.2 * haze
        body.fill(lung, echo=echo, loss=0.5)
        first = self.front(below)
        rough = 0.25 * self.rough.at(body.x, body.z, body.turn)
        patchy = np.clip(0.7 + 0.4 * self.bend.at(body.x * 1.5, body.z, body.turn + 0.8), 0.1, 1.5)
        for number in range(1, 6):
            copy = body.depth - first * np.float32(number + 1)
            level = 17 - 3.2 * number - 0.04 * self.fade * self.pleura * number
            share = patchy * clean * np.float32(self.copies)
            body.interface(copy + rough * number, level=level, thickness=0.5 + 0.25 * number, share=share, power=1)
        # The muscle's layers are seen again too, fainter: short lines between the copies.
        again = self.fibers.at(body.x, np.mod(body.depth, first) * 1.0, body.turn)
        body.line(again * 2.2, level=-1, thickness=0.4, share=lung * clean * np.exp(-deep / np.float32(30)))

    def paint_wall(self, body: Body, below: Field, *, whole: Field) -> None:
        """Paints the chest wall, the pleural line where it is ``whole``, and the ribs."""
        fibers = self.fibers.at(body.x, below, body.turn)
        lobules = self.lobules.at(body.x, below, body.turn)
        wall = body.inside(below)
        body.fill(wall, echo=MUSCLE + 2.2 * fibers, loss=0.55)
        body.line(fibers * 1.4, level=10, thickness=0.35, share=wall * np.clip(0.6 + 0.4 * lobules, 0, 1.3))
        above = below + np.float32(self.pleura - self.fat)
        fat = body.inside(above)
        body.fill(fat, echo=FAT + 1.5 * lobules, loss=0.5)
        body.line(lobules * 2.2, level=10, thickness=0.35, share=fat * 0.8)
        body.interface(above, level=12, thickness=0.4)
        body.fill(body.inside(below + np.float32(self.pleura - self.skin)), echo=3, loss=0.6)
        body.mirror += 9 * np.cos(body.depth * np.float32(np.pi / 1.4)) ** 2 * np.exp(-body.depth / np.float32(2.5))
        rough = 0.2 * self.rough.at(body.x, below, body.turn)
        share = whole * np.clip(0.95 + 0.3 * self.bend.at(body.x, below, body.turn), 0.4, 1.5)
        body.interface(below - 0.4 + rough, level=self.line, thickness=0.7, share=share, power=1)
        level = below + np.float32(self.pleura)
        for at in self.ribs:
            arch = np.sqrt(np.maximum(1 - ((body.x - np.float32(at)) / np.float32(self.rib[0])) ** 2, 0))
            top = level - np.float32(self.rib_depth) + np.float32(self.rib[1]) * (arch - 0.5)
            width = body.inside(np.abs(body.x - np.float32(at)) - np.float32(self.rib[0]), self.rib_edge)
            body.interface(top, level=self.rib_echo, thickness=0.6, share=width, power=1.2)
            thick = body.inside(-top) * body.inside(top - 9) * width
            body.fill(thick, echo=-18, loss=self.rib_loss, clear=0.0)


@dataclass(frozen=True)
class _Ray:
    at: float  # on the pleura, mm
    half: float  # half its width there, mm
    level: float


@dataclass(frozen=True)
class _Patch:
    at: float
    half: float
    deep: float
    echo: float
    air: float  # how much of it air bronchograms are
    broken: float
    trail: float


def _free(chest: _Chest, generator: np.random.Generator, reach: float) -> float:
    """A place on the pleura that no rib hides, mm."""
    spots = generator.uniform(-reach, reach, 24)
    if not chest.ribs:
        return float(spots[0])
    gaps = np.abs(spots[:, None] - np.array(chest.ribs)[None, :]).min(axis=1)
    return float(spots[int(np.argmax(gaps > chest.rib[0] + 2.5))] if (gaps > chest.rib[0] + 2.5).any() else spots[0])


def _rays(generator: np.random.Generator, chest: _Chest, reach: float) -> list[_Ray]:
    """At least three, as the recommendations ask of one field; in a severe case they run into each other."""
    count = int(generator.integers(3, 8))
    severe = float(generator.uniform(0.8, 2.0))
    return [
        _Ray(
            _free(chest, generator, reach),
            float(generator.uniform(0.6, 1.6)) * severe * max(chest.probe.half_width(chest.pleura) / 20, 0.8),
            float(generator.uniform(2, 9)),
        )
        for _ in range(count)
    ]


def _paint_rays(body: Body, chest: _Chest, rays: list[_Ray], below: Field, off: float) -> tuple[Field, Field]:
    """Paints B-lines; returns where they are and, (1, BEAMS), how much of each beam they take."""
    along = chest.along(body, below)
    covered = np.zeros((1, BEAMS), dtype=np.float32)
    level = np.full((1, BEAMS), -60, dtype=np.float32)
    for number, ray in enumerate(rays):
        sway = 1.2 * off * (1 if number % 2 else -1)  # they move with the sliding lung
        share = np.exp(-(np.abs((along - np.float32(ray.at + sway)) / np.float32(ray.half)) ** 3))
        covered = np.maximum(covered, share)
        level = np.maximum(level, np.float32(ray.level) + 20 * np.log10(share + np.float32(1e-3)))
    rungs = chest.haze.at(body.x * 0.3, body.z * 1.6, body.turn)  # a ray is a ladder of short lines
    lung = body.inside(-below)
    echo = level + 1.4 * rungs + np.float32(0.15) * np.maximum(below, 0) / 10
    body.fill(lung * covered, echo=np.maximum(echo, body.echo), loss=0.5)
    return np.asarray(lung * covered, dtype=np.float32), np.asarray(covered, dtype=np.float32)


def _patch(generator: np.random.Generator, chest: _Chest, reach: float) -> _Patch:
    """A lobe or most of it, tissue-like as liver is, or a small dark wedge under the pleura."""
    room = chest.probe.depth - chest.pleura
    large = generator.random() < 0.6
    half = log_uniform(generator, 0.8, 1.8) * reach if large else log_uniform(generator, 0.32, 0.55) * reach
    deep = float(generator.uniform(0.35, 0.8) if large else generator.uniform(0.2, 0.36)) * room
    return _Patch(
        at=_free(chest, generator, 0.5 * reach),
        half=max(half, 5.0),
        deep=deep,
        echo=float(generator.uniform(-6, 2) if large else generator.uniform(-19, -9)),
        air=float(generator.uniform(0.7, 1.5)) if large else float(generator.uniform(0, 0.8)),
        broken=float(generator.uniform(0.65, 0.95)),
        trail=float(generator.uniform(0, 6) if large else generator.uniform(3, 8)),
    )


def _paint_patch(
    body: Body, chest: _Chest, patch: _Patch, *, below: Field, inner: tuple[Pattern, ...], off: float
) -> Field:
    """Paints a consolidation and what is seen behind it; returns its share."""
    shreds, branches, grain = (pattern.at(body.x, body.z, body.turn) for pattern in inner)
    across = (body.x - np.float32(patch.at)) / np.float32(patch.half * np.sqrt(1 - 0.4 * off * off))
    lung = body.inside(-below)
    # Its deep edge is a bow under the pleura, torn into shreds.
    floor = np.float32(patch.deep) * np.clip(1 - across**4, 0, 1) ** np.float32(0.6)
    floor = floor * (1 + 0.2 * shreds) + 0.8 * grain
    edge = below - floor
    column = body.inside((np.abs(across) - 1) * np.float32(patch.half), 1.5)
    share = lung * body.inside(edge, 0.8) * column
    # Behind it the sound meets air at last: a bright torn line and rays from it.
    fall = np.maximum(edge, 0) / 10 * np.float32(0.6 * chest.fade)
    streaks = chest.columns.at(body.x * chest.front(below) / np.maximum(body.depth, 8), body.z * 0, body.turn)
    body.fill(lung * body.inside(-edge, 1) * column, echo=np.float32(patch.trail) - fall + 3 * streaks)
    body.fill(share, echo=np.float32(patch.echo) + 1.2 * shreds + 1.0 * grain, loss=0.45)
    torn = np.exp(-((edge / np.float32(1.3)) ** 2)) * column * lung * np.clip(0.6 + 0.7 * grain, 0, 2)
    body.mirror += np.float32(6) * torn
    # Air in bronchi: bright dots and short branches, not right under the pleura.
    within = share * body.inside(edge + 2.0, 1.5) * np.clip((below - 3) / 4, 0, 1)
    dots = np.clip(branches - np.float32(1.9 - 0.5 * patch.air), 0, 0.5) * 2
    body.mirror += within * dots * np.float32(9)
    twigs = np.clip(shreds - np.float32(1.1 - 0.4 * patch.air), 0, 1)
    body.line(branches * 2.2 - 1.2, level=13, thickness=0.6, share=within * twigs)
    return np.asarray(share, dtype=np.float32)


def _draw(pathology: str, generator: np.random.Generator, images: int) -> list[Drawn]:
    if generator.random() < 0.7:
        depth = log_uniform(generator, 65, 145)
        scanner = convex_scanner(generator, depth=depth)
    else:
        depth = log_uniform(generator, 38, 62)
        scanner = linear_scanner(generator, depth=depth, width=depth * float(generator.uniform(0.7, 1.1)))
    probe = scanner.probe
    chest = _Chest(generator, probe)
    reach = 0.75 * probe.half_width(chest.pleura)
    rays = _rays(generator, chest, reach) if pathology == "B-lines" else []
    patch = _patch(generator, chest, reach) if pathology == "consolidation" else None
    inner = (Pattern(generator, probe, 8, 6), Pattern(generator, probe, 6, 3.2), Pattern(generator, probe, 2.6, 2.2))
    side = "right" if generator.random() < 0.5 else "left"
    zone = ["anterior upper", "anterior lower", "lateral upper", "lateral lower", "posterior"][
        int(generator.integers(5))
    ]
    place = f"{side} {zone} zone"

    def image(view: View) -> Drawn:
        body = Body(probe, view)
        below = chest.level(body) - np.float32(chest.pleura)
        # One or two thin short rays are normal; they are left out, so that none is taken for the finding.
        clean = np.ones((1, BEAMS), dtype=np.float32)
        whole = np.ones_like(below)
        mask: Field | None = None
        size = None
        along = chest.along(body, below)
        if rays:
            for ray in rays:
                clean = np.minimum(
                    clean, np.clip(np.abs(along - np.float32(ray.at)) / np.float32(2.5 * ray.half) - 0.3, 0, 1)
                )
        if patch is not None:
            clean = np.clip((np.abs(along - np.float32(patch.at)) / np.float32(patch.half) - 0.9) * 5, 0, 1)
        chest.paint_lung(body, below, clean=clean)
        if rays:
            mask, covered = _paint_rays(body, chest, rays, below, view.off)
            whole = whole * (1 - 0.25 * covered)
            size = float((covered > 0.5).mean()) * 2 * probe.half_width(chest.pleura)
        elif patch is not None:
            mask = _paint_patch(body, chest, patch, below=below, inner=inner, off=view.off)
            beside = np.clip((np.abs(body.x - np.float32(patch.at)) / np.float32(patch.half) - 0.8) * 5, 0, 1)
            whole = whole * (1 - np.float32(patch.broken) * (1 - beside))
        chest.paint_wall(body, below, whole=whole)
        name = "intercostal" if not chest.ribs else "longitudinal"
        return scanner.show(body, generator, view=name, mask=mask, place="" if mask is None else place, size_mm=size)

    return [image(view) for view in views(generator, images, reach=0.04 * depth)]


LUNG = Scene(modality="US", anatomy="lung", pathologies=("normal", "B-lines", "consolidation"), draw=_draw)
