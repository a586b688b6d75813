"""What the Map shows of evaluations: read where it is kept, and made by a job where it is not."""

from __future__ import annotations

import shutil
import threading

import pytest

from pages.parts.evaluation import runs
from radcbir_core.collections.artifacts import EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError, StorageError
from radcbir_core.evaluation.reports.precision import Precision
from tests.pages.conftest import wait
from tests.pages.reading import complaints, words
from tests.stale import forget


@pytest.fixture
def not_evaluated(copied_data, in_threads, monkeypatch):
    monkeypatch.setattr(runs, "QUICK_IMAGES", 1)
    store = open_collection("small").store("pixels")
    forget_evaluations(store)
    return store


def forget_evaluations(store):
    forget(store, EVALUATION)
    shutil.rmtree(store.evaluation_folder)


def button(at, label):
    return next(one for one in at.button if one.label == label)


def test_precision_that_is_not_kept_is_never_computed_by_the_page(app, not_evaluated, monkeypatch) -> None:
    going, go_on = threading.Event(), threading.Event()

    def endless(*_, progress, **__):
        for done in range(10_000):
            progress("evaluation", done, 10_000)
            going.set()
            go_on.wait(0.01)

    monkeypatch.setattr(Precision, "compute", endless)
    at = app("map", color="p@k")
    assert not complaints(at)
    assert not going.is_set()
    assert "P@k of every image has not been computed yet" in words(at)
    assert "Until it is there, the map is colored by anatomy." in words(at)
    assert "61 images" in words(at)
    button(at, "Compute").click().run()
    assert going.wait(20)
    at.run()
    assert "P@k of every image is being computed." in words(at)
    # Another visitor's map waits for nothing.
    other = app("map", color="split")
    assert not complaints(other)
    assert "61 images" in words(other)
    button(at, "Stop").click().run()
    wait()
    at.run()
    assert "P@k of every image was stopped" in words(at)


def test_once_it_is_computed_the_map_is_colored_by_it(app, not_evaluated) -> None:
    at = app("map", color="p@k")
    button(at, "Compute").click().run()
    wait()
    at.run()
    assert not complaints(at)
    assert "Until it is there" not in words(at)
    assert "Compute" not in [one.label for one in at.button]


def test_what_cannot_be_computed_is_said_and_leaves_the_map(app, copied_data, monkeypatch) -> None:
    def impossible(*_, **__):
        raise EvaluationError("Expected queries, but there are none. Choose another level.")

    forget_evaluations(open_collection("small").store("pixels"))
    monkeypatch.setattr(Precision, "compute", impossible)
    at = app("map", color="p@k")
    assert "Expected queries, but there are none" in complaints(at)
    assert "61 images" in words(at)


def test_a_result_that_is_kept_is_in_memory_once_and_another_for_some_minutes(app, copied_data, monkeypatch) -> None:
    store = open_collection("small").store("pixels")
    forget_evaluations(store)
    computed = []
    compute = Precision.compute

    def counted(self, *args, **more):
        computed.append(self)
        return compute(self, *args, **more)

    def refused(*_kept, **_described):
        raise StorageError("Expected permission to read and write here, but it was refused. Change it: /srv/x")

    monkeypatch.setattr(Precision, "compute", counted)
    with monkeypatch.context() as patched:
        patched.setattr("radcbir_core.evaluation.evaluation.write_result", refused)
        runs._computed.clear()
        app("map", color="p@k")
        app("map", color="p@k")
        assert len(computed) == 1
        runs._computed.clear()  # as after some minutes
        app("map", color="p@k")
        assert len(computed) == 2
    runs._computed.clear()
    app("map", color="p@k")
    assert len(computed) == 3
    assert Precision().suited(store).kept(store) is not None
    app("map", color="p@k")
    assert len(computed) == 3
