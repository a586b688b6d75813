"""Which image is trained on and which is validated on, and what is read of each."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError
from radcbir_core.synthetic.mini.examples import (
    CACHE_SIDE,
    VALIDATION_PERCENT,
    held_out,
    is_drawn,
    load_examples,
    shrink,
)
from radcbir_core.synthetic.mini.making import data_list
from tests.core.synthetic.mini.examples import made_up


def test_sides_never_share_a_patient_or_a_near_duplicate(source, tmp_path) -> None:
    examples = load_examples([source], cache=tmp_path / "cache")
    assert len(examples) == 30
    side = {name.rsplit("/", 1)[-1]: held for name, held in zip(examples.image_ids, examples.validation, strict=True)}
    assert side["0.png"]
    assert side["1.png"]  # the same patient
    assert side["2.png"]
    assert side["20.png"]
    assert side["21.png"]  # nearly the same picture
    for number in range(12, 30, 2):
        assert side[f"{number}.png"] == side[f"{number + 1}.png"]
    assert 2 < sum(side.values()) < 28
    again = load_examples([open_collection("source")], cache=tmp_path / "cache")
    assert np.array_equal(again.pixels, examples.pixels)
    assert np.array_equal(again.validation, examples.validation)
    listed = data_list(examples)
    assert sum(row["trained_on"] + row["validated_on"] for row in listed) == 30
    assert sum(row["validated_on"] for row in listed) == sum(side.values())


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["train", "val", "test", ""]), st.text("abc", min_size=1)))
)
def test_groups_are_never_split(rows) -> None:
    groups = np.array([group for group, _, _ in rows], dtype=np.int64)
    held = held_out(groups, [split for _, split, _ in rows], [name for _, _, name in rows])
    for group in set(groups.tolist()):
        of_group = held[groups == group]
        assert of_group.all() or not of_group.any()
        if any(split in {"val", "test"} for number, split, _ in rows if number == group):
            assert of_group.all()


def test_of_the_others_a_share_is_held_out_by_their_names() -> None:
    names = [f"patient-{number}" for number in range(4000)]
    held = held_out(np.arange(4000), ["train"] * 4000, names)
    assert held.mean() == pytest.approx(VALIDATION_PERCENT / 100, abs=0.02)
    first = int.from_bytes(hashlib.sha256(b"patient-0").digest()[:4], "big") % 100 < VALIDATION_PERCENT
    assert bool(held[0]) is first
    assert np.array_equal(held_out(np.arange(4000)[::-1], ["train"] * 4000, names[::-1]), held[::-1])


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((320, 80), (160, 40)),
        ((80, 320), (40, 160)),
        ((5, 5), (160, 160)),
        ((1, 2000), (1, 160)),
        ((9, 9, 3), (160, 160)),
    ],
)
def test_the_longest_side_is_the_caches(shape, small) -> None:
    shrunk = shrink(np.full(shape, 77, dtype=np.uint8))
    assert shrunk.shape == small
    assert max(shrunk.shape) == CACHE_SIDE
    assert (shrunk == 77).all()


def test_phantoms_are_told_by_their_data_set() -> None:
    examples = made_up(1)
    examples.sources[0] = "mini-phantoms/phantoms"
    assert [is_drawn(examples, row) for row in (0, 1)] == [True, False]


def test_images_that_cannot_be_read(source, tmp_path) -> None:
    folder = tmp_path / "source"
    (folder / "3.png").write_bytes(b"damaged since")
    examples = load_examples([source], cache=tmp_path / "cache")
    assert len(examples) == 29
    assert "source/3.png" not in examples.image_ids
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(CollectionError, match=r"but none could be read\. Check problems"):
        load_examples([open_collection("source")], cache=tmp_path / "another")
