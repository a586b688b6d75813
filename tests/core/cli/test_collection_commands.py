"""`list` and `info`, as a person types them."""

from __future__ import annotations

import os
import shutil

from tests.core.cli.running import run


def test_a_damaged_collection_does_not_hide_the_others(small, data, capsys) -> None:
    shutil.copytree(small / "collections", data / "collections")
    broken = data / "collections" / "broken"
    broken.mkdir()
    (broken / "collection.json").write_text("{")
    os.environ["RADCBIR_DATA"] = str(data)
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert "it is not valid JSON" in out
    assert "small" in out
    code, _, err = run(capsys, "info", "broken")
    assert code == 2
    assert "collection.json: it is not valid JSON" in err
