from __future__ import annotations

import numpy as np
import pandas as pd

from pages.parts.evaluation.shelf import Shelf
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.precision import Precision


def result(numbers: int) -> Result:
    """One whose table takes eight bytes a number, and a few for its index."""
    return Result(Precision(), "small", {"means": pd.DataFrame({"a": np.zeros(numbers)})}, (), {})


def test_what_nobody_has_asked_for_the_longest_makes_room() -> None:
    shelf = Shelf(room=30_000)
    results = {name: result(1000) for name in "abcd"}
    for name in "abc":
        shelf.put(name, results[name])
    assert shelf.get("a") is results["a"]
    shelf.put("d", results["d"])
    assert shelf.get("b") is None
    assert all(shelf.get(name) is results[name] for name in "acd")


def test_one_that_is_larger_than_the_room_is_there_alone() -> None:
    shelf = Shelf(room=30_000)
    small, large = result(1000), result(100_000)
    shelf.put("small", small)
    shelf.put("large", large)
    assert shelf.get("large") is large
    assert shelf.get("small") is None
    shelf.put("small", small)
    assert shelf.get("large") is None
    assert shelf.get("small") is small


def test_a_result_put_twice_takes_its_room_once() -> None:
    shelf = Shelf(room=30_000)
    other = result(1000)
    shelf.put("other", other)
    for _ in range(5):
        shelf.put("same", result(1000))
    assert shelf.get("other") is other
