"""The plane of a volume: thickest slices, else the fewest, else axial; and which way up they are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.images.nifti.plane import NAMES, plane_of

AXES = [
    tuple(zip(order, signs, strict=True))
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize(
    ("shape", "spacing", "name", "why"),
    [
        ((256, 256, 170), (1, 1, 1), "axial", "axial"),
        ((256, 256, 30), (0.9, 0.9, 5), "axial", "thickest"),
        ((15, 320, 320), (4, 0.9, 0.9), "sagittal", "thickest"),
        ((320, 20, 320), (0.5, 3, 0.5), "coronal", "thickest"),
        ((160, 256, 256), (1.2, 1, 1), "axial", "axial"),  # not thick enough for a plane of its own
        ((20, 256, 256), (1, 1, 1), "sagittal", "fewest"),
        ((1, 256, 256), (0, 1, 1), "sagittal", "fewest"),
        ((256, 256, 1), (1, 1, float("nan")), "axial", "fewest"),
        ((64, 64, 64), (float("nan"), 1, 1), "axial", "axial"),
    ],
)
def test_the_plane_that_is_chosen(shape, spacing, name, why) -> None:
    plane = plane_of(shape, spacing, [(0, 1), (1, 1), (2, 1)])
    assert (plane.name, plane.why) == (name, why)
    assert plane.is_known
    assert not plane_of(shape, spacing, None).is_known


@given(st.sampled_from(AXES), st.permutations([1.0, 1.0, 5.0]))
def test_in_every_orientation_right_is_left_and_the_front_or_the_head_above(axes, spacing) -> None:
    plane = plane_of((40, 50, 60), spacing, list(axes))
    assert sorted((plane.axis, plane.down, plane.across)) == [0, 1, 2]
    followed, down, across = (axes[place] for place in (plane.axis, plane.down, plane.across))
    assert plane.name == NAMES[followed[0]]
    assert plane.spacing == tuple(spacing[place] for place in (plane.axis, plane.down, plane.across))
    assert (down[0], across[0]) == {"sagittal": (2, 1), "coronal": (2, 0), "axial": (1, 0)}[plane.name]
    # Slices are counted along the patient's axis; in a slice, the end of each axis comes first.
    assert plane.turned == (followed[1] < 0, down[1] > 0, across[1] > 0)
    assert spacing[plane.axis] == 5
