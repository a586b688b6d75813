"""`build`, as a person runs and kills it."""

from __future__ import annotations

import json
import signal
import time

import pytest

from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.layout import list_collections
from tests.core.cli.running import process, run


def test_killed_and_built_again(data, small_source, capsys, monkeypatch) -> None:
    """SIGKILL leaves nothing that the next build could take for finished."""
    run(capsys, "import", str(small_source), "--name", "s")
    for wait_for in ("shards/made_of.json", "embeddings.npy"):
        killed = process("build", "s", "--encoder", "pixels", data=data)
        target = data / "collections" / "s" / "encoders" / "pixels" / wait_for
        deadline = time.monotonic() + 60
        while not target.exists() and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert code == 0
    assert out.splitlines()[-1] == "Built s with pixels: 61 images, 0 failed."
    assert json.loads(run(capsys, "info", "s", "--json")[1])["encoders"][0]["steps"] == dict.fromkeys(
        ARTIFACT_NAMES, "current"
    )
    left = [p.name for p in (data / "collections").rglob("*") if ".partial-" in p.name or p.name == "shards"]
    assert left == []


def test_synthesize_draws_what_can_be_built(data, capsys) -> None:
    code, out, _ = run(capsys, "synthesize", "many", "--rows", "300", "--dimension", "16", "--title", "Many rows")
    assert code == 0
    assert "build many --encoder synthetic" in out
    assert out.splitlines()[-1].startswith("Made many: 300 rows of ")
    facts = json.loads(run(capsys, "info", "many", "--json")[1])
    assert (facts["title"], facts["images"], facts["encoders"][0]["encoder_id"]) == ("Many rows", 300, "synthetic")
    code, _, err = run(capsys, "synthesize", "many", "--rows", "300")
    assert (code, "exists already" in err) == (2, True)
    code, _, err = run(capsys, "synthesize", "none", "--rows", "0")
    assert (code, "rows = 0" in err) == (2, True)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [("2000000000", "GB of memory to draw 2,000,000,000 synthetic rows"), ("9" * 30, "GB of memory to draw 999,")],
)
def test_synthesize_refuses_what_does_not_fit_before_it_draws_anything(
    rows, complaint, data, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("radcbir_core.synthetic.embedding_collection._memory", lambda: 64_000_000_000)
    monkeypatch.setattr("radcbir_core.synthetic.embedding_plan.EmbeddingPlan.of", None)
    code, _, err = run(capsys, "synthesize", "many", "--rows", rows)
    assert (code, complaint in err) == (2, True)


def test_synthesize_stopped_leaves_nothing(data, capsys, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("radcbir_core.synthetic.embedding_collection.write_array", stop)
    code, _, _ = run(capsys, "synthesize", "many", "--rows", "300")
    assert code == 130
    assert list_collections() == []
