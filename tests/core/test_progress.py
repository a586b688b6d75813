"""How long work tells how far it is."""

from __future__ import annotations

import inspect

from radcbir_core.progress import Progress, silent


def test_the_silent_one_takes_what_every_callback_takes() -> None:
    assert silent("embed", 1, 2) is None
    assert silent(step="embed", done=1, total=2) is None
    names = list(inspect.signature(silent).parameters)
    assert names == list(inspect.signature(Progress.__call__).parameters)[1:]
