"""Work in threads: in order, and a fault in one is the caller's."""

from __future__ import annotations

import threading
import time

import pytest

from radcbir_core.search.engines import scanning
from radcbir_core.search.engines.scanning import side_by_side


@pytest.mark.parametrize("cores", [1, 2])
def test_results_come_in_the_order_of_the_items(monkeypatch, cores) -> None:
    monkeypatch.setattr(scanning.os, "cpu_count", lambda: cores)

    def slow(number: int) -> int:
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(side_by_side(slow, iter(range(5)))) == [0, 1, 4, 9, 16]
    assert list(side_by_side(slow, [])) == []


def test_a_fault_reaches_whoever_asked(monkeypatch) -> None:
    monkeypatch.setattr(scanning.os, "cpu_count", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda number: 1 / number, [1, 0, 2]))
    names = list(side_by_side(lambda _: threading.current_thread().name, [1, 2, 3]))
    assert all(name.startswith("search") for name in names)
    assert list(side_by_side(lambda _: threading.current_thread().name, [1])) == [threading.current_thread().name]
