"""After labels were corrected, pages show the new ones at once, without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.importers.relabeling import correct_labels
from tests.pages.reading import cards, complaints, html, words


@pytest.fixture
def correct(copied_data, tmp_path):
    """Corrects labels of one image of the collection ``small``."""

    def correct(row: int, **cells: str) -> str:
        image_id = open_collection("small").manifest.record(row)["image_id"]
        table = Path(tmp_path / "corrections.csv")
        table.write_text(f"image_id,{','.join(cells)}\n{image_id},{','.join(cells.values())}\n")
        assert correct_labels("small", table, by="<b>me</b>").written
        return str(image_id)

    return correct


def test_an_open_page_shows_the_new_label_and_says_what_is_stale(app, correct) -> None:
    at = app()
    assert "never seen before" not in html(at)
    image_id = correct(0, pathologies="never seen before")
    at.run()
    assert not at.exception
    assert "never seen before" in html(at), "counted among the pathologies"
    assert html(at).count("! stale") == 1
    assert 'title="labels have changed since"' in html(at)
    assert " build small --encoder pixels" in words(at)
    at = app("retrieval", image=image_id)
    assert not at.exception
    assert len(cards(at)) == 10, "searching needs no labels"


def test_an_open_pathology_page_evaluates_the_new_labels(app, correct) -> None:
    at = app("pathology", level="anatomy")
    assert not complaints(at)
    assert "never seen before" not in at.dataframe[0].value.to_csv()
    for row in (0, 1):
        correct(row, anatomy="never seen before")
    at.run()
    assert not complaints(at)
    # Two images of one patient: their queries have nothing to find, and the label stands apart.
    shown = at.dataframe[0].value.to_csv() + "".join(str(box.key) for box in at.button)
    assert "never seen before" in shown


def test_the_history_is_shown_with_the_provenance(app, correct) -> None:
    assert "Corrected labels" not in html(app("collections", part="provenance"))
    correct(0, view="one")
    image_id = correct(0, view="<i>two</i>")
    shown = html(app("collections", part="provenance"))
    assert "Corrected labels" in shown
    rows = shown[shown.index("Corrected labels") :]
    assert (
        f"<td>&lt;b&gt;me&lt;/b&gt;</td><td>{image_id}</td><td>view</td><td>one</td><td>&lt;i&gt;two&lt;/i&gt;</td>"
        in rows
    )
    assert rows.index("&lt;i&gt;two") < rows.index("<td>one</td></tr>"), "the latest first"
