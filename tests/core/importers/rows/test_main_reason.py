"""Why most rows cannot be used, told by kind, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from radcbir_core.errors import FOLDER, Remedy
from radcbir_core.importers.rows.main_reason import by_kind, main_reason
from radcbir_core.importers.rows.sources import Source

MISSING = "Expected an image file, but there is none at this path."
DAMAGED = "Expected a whole PNG file, but {} = damaged after 1{} bytes. Copy it again."


def problem(path: str, reason: str, *, line: int = 2, image_id: str = "", source: str = "t.csv") -> dict:
    return {"source": source, "line": line, "path": path, "image_id": image_id or path, "reason": reason}


def source(root: Path, *, rooted: bool = True) -> Source:
    return Source(Path("t.csv"), root, "set", [], rooted=rooted)


def test_what_a_row_is_called_makes_no_kind_of_its_own() -> None:
    problems = [problem(f"a/{n}.png", DAMAGED.format(f"{n}.png", n), line=n) for n in range(3)]
    problems += [problem("x.png", MISSING), problem("y.png", MISSING)]
    assert [len(rows) for rows in by_kind(problems).values()] == [3, 2]
    main = main_reason(problems)
    assert (main.count, main.advice, main.remedy) == (3, "", None)
    assert main.told() == (
        "the most frequent reason (3): Expected a whole PNG file, but 0.png = damaged after 10 bytes. Copy it again. "
        "First at t.csv line 0 (a/0.png)."
    )


@pytest.mark.parametrize("here", [".", "images", "images/deep"])
def test_the_folder_that_missing_files_are_below_is_found(tmp_path, here) -> None:
    (tmp_path / "images" / "deep" / "part").mkdir(parents=True)
    (tmp_path / here / "part").mkdir(exist_ok=True)
    (tmp_path / here / "part" / "b.png").touch()
    for root in (tmp_path, tmp_path / "images", tmp_path / "images" / "deep"):
        if root == tmp_path / here:
            continue
        main = main_reason([problem("part/a.png", MISSING), problem("part/b.png", MISSING)], [source(root)])
        assert main.advice == f"Such a file is below {tmp_path / here}: name that folder as what the paths start from."
        assert main.remedy == Remedy("again", options={"image_root": str(tmp_path / here)})


def test_files_that_are_nowhere_near_are_asked_for(tmp_path) -> None:
    main = main_reason([problem("a.png", MISSING)], [source(tmp_path)])
    assert main.advice == (
        f"The paths start from {tmp_path}: name the folder that they do start from, or the column with the files."
    )
    assert main.remedy == Remedy("again", options={"image_root": FOLDER})
    whole = main_reason([problem("a.png", MISSING)], [source(tmp_path, rooted=False)])
    assert (whole.advice, whole.remedy) == (f"Check that the data set is there whole, below {tmp_path}.", None)
    assert main_reason([problem("a.png", MISSING)]).advice == ""


def test_other_reasons_say_what_to_do(tmp_path) -> None:
    sources = [source(tmp_path)]
    denied = problem("a.png", "Expected a readable file, but: Permission denied.")
    assert main_reason([denied], sources).advice == "Let the account that imports read the files."
    twice = problem("a.png", "Expected image_ids that differ, but image_id = 'a' stands on an earlier line too.")
    assert main_reason([twice], sources).advice.startswith("Give each image an image_id of its own")
    empty = problem("", "Expected a path, but the cell is empty.")
    assert (
        main_reason([empty], sources)
        .told()
        .endswith("First at t.csv line 2. Fill that column, or say which other one names the files.")
    )
    outside = problem("../a.png", "Expected a path inside the image root, but it leads out of /x. Name the folder.")
    assert main_reason([outside], sources).remedy == Remedy("again", options={"image_root": FOLDER})
