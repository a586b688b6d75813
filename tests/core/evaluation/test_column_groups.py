"""Columns as groups: which can be taken, and how numbers become bands."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from radcbir_core.collections.manifests.manifest import COLUMNS, TEXT_COLUMNS, Manifest
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.column_groups import MOST_VALUES, NOT_KNOWN, bands, groups_of_column, offered_columns


def manifest(number: int = 6, **columns) -> Manifest:
    """A manifest with these columns; the others say nothing."""
    table = {name: [""] * number for name in TEXT_COLUMNS}
    table |= {"pathologies": [["normal"]] * number, "width": [64] * number, "height": [64] * number}
    table |= {"duplicate_group": [-1] * number, "image_id": [f"i{row}" for row in range(number)]}
    table |= columns
    return Manifest(pa.table({name: table[name] for name in (*COLUMNS, *sorted(set(table) - set(COLUMNS)))}), digest="")


def groups(made, column, **choices):
    codes = groups_of_column(made, column, **choices).codes
    return [codes.values[code] for code in codes.codes]


def test_a_column_that_parts_the_images_is_offered_and_others_are_not_with_a_reason() -> None:
    number = MOST_VALUES + 1
    made = manifest(
        number,
        view=["AP", "PA"] * (number // 2) + [""],
        dataset=["one"] * number,
        scanner=[f"scanner {row}" for row in range(number)],
        patient_id=[f"p{row // 2}" for row in range(number)],
        size=[float(row) for row in range(number)],
        flagged=["yes"] + [""] * (number - 1),
    )
    offered, reasons = offered_columns(made)
    assert offered == ["view", "flagged", "size"]
    assert reasons["dataset"] == "all images have the same value"
    assert reasons["split"] == "no image has a value"
    assert reasons["scanner"] == f"it has {number} values, more than {MOST_VALUES}"
    assert reasons["patient_id"].startswith("it names pieces of evidence")
    assert reasons["image_id"] == reasons["sha256"] == "it names every single image"
    assert set(offered) | set(reasons) == set(made.column_names)
    with pytest.raises(
        EvaluationError, match=r"but column = 'dataset': all images have the same value\. There are: view"
    ):
        groups_of_column(made, "dataset")
    with pytest.raises(EvaluationError, match="but column = 'hospital': there is none"):
        groups_of_column(made, "hospital")


def test_a_value_for_nearly_every_image_is_no_group() -> None:
    assert "name" in offered_columns(manifest(20, name=[f"n{row}" for row in range(20)]))[1]
    assert "name" in offered_columns(manifest(20, name=[f"n{row // 2}" for row in range(20)]))[0]


def test_values_are_groups_and_images_without_one_are_the_last() -> None:
    made = manifest(view=["PA", "", "AP", "PA", "", "AP"])
    assert groups(made, "view") == ["PA", NOT_KNOWN, "AP", "PA", NOT_KNOWN, "AP"]
    assert groups_of_column(made, "view").codes.values == ("AP", "PA", NOT_KNOWN)
    told = manifest(view=["PA", "", NOT_KNOWN, "PA", "", "AP"])
    assert groups(told, "view") == ["PA", NOT_KNOWN, NOT_KNOWN, "PA", NOT_KNOWN, "AP"]


def test_few_numbers_stay_as_they_are_in_their_order() -> None:
    made = manifest(stage=["10", "9", "2", "10", "", "2"])
    assert groups_of_column(made, "stage").codes.values == ("2", "9", "10", NOT_KNOWN)
    assert groups(made, "stage") == ["10", "9", "2", "10", NOT_KNOWN, "2"]


def test_ages_become_decades_in_whatever_form_they_are() -> None:
    ages = ["007Y", "006M", "015Y", "19", "020Y", "", *map(str, range(21, 35))]
    made = groups_of_column(manifest(20, patient_age=ages), "patient_age")
    assert made.codes.values == ("0 to 9", "10 to 19", "20 to 29", "30 to 39", NOT_KNOWN)
    assert [made.codes.values[code] for code in made.codes.codes[:6]] == [
        *("0 to 9", "0 to 9", "10 to 19", "10 to 19", "20 to 29", NOT_KNOWN)
    ]
    assert "decades" in made.rule
    assert "decades" not in bands(np.arange(20.0), column="stage_page").rule


def test_bands_hold_about_as_many_images_and_never_part_equals() -> None:
    values = np.array([1.0] * 30 + list(range(2, 72)))
    made = bands(values, column="size")
    assert len(made.codes.values) <= 4
    for value in set(values.tolist()):
        assert len(set(made.codes.codes[values == value].tolist())) == 1
    edges = [(values[made.codes.codes == code].min(), values[made.codes.codes == code].max()) for code in range(4)]
    assert all(edges[i][1] < edges[i + 1][0] for i in range(3))
    assert made.codes.values[0] == "1"
    sizes = np.bincount(made.codes.codes)
    assert sizes.min() >= 15
    again = bands(values[::-1], column="size")
    assert again.codes.values == made.codes.values


def test_numbers_are_cut_where_it_is_asked_and_text_is_not() -> None:
    made = manifest(size=["1", "18", "17.9", "65", "", "70"], view=["AP", "PA"] * 3)
    assert groups(made, "size", cuts=(18, 65)) == [
        *("under 18", "18 to under 65", "under 18", "65 and more", NOT_KNOWN, "65 and more")
    ]
    with pytest.raises(
        EvaluationError, match="Expected a column of numbers to be cut, but view holds text such as 'AP'"
    ):
        groups_of_column(made, "view", cuts=(3,))
