"""How results show themselves in a notebook: text stays text, pictures go along."""

from __future__ import annotations

import base64

from radcbir_core.notebook_html import Card, facts, gallery

EVIL = '<script>alert("x")</script>'


def test_whatever_a_collection_says_is_text() -> None:
    for page in (
        gallery([Card(None, [EVIL, EVIL], EVIL)], title=EVIL, notes=[EVIL]),
        facts({EVIL: EVIL}, title=EVIL, notes=[EVIL]),
    ):
        assert "<script" not in page
        assert 'alert("x")' not in page, "not even out of an attribute"
        assert page.count("&lt;script&gt;") >= 4


def test_a_gallery_has_its_pictures_with_it() -> None:
    page = gallery([Card(b"RIFF", ["1", "0.9"], "one.png"), Card(None, ["2"])], title="Hits", notes=["Exact."])
    assert f"data:image/webp;base64,{base64.b64encode(b'RIFF').decode()}" in page
    assert page.count("<figure ") == 2
    assert page.count("<img ") == 1
    assert "http" not in page, "nothing is fetched"
    assert "<b>1</b><br>0.9" in page
    assert page.index("<b>Hits</b>") < page.index("Exact.") < page.index("<figure ")


def test_facts_are_a_table() -> None:
    page = facts({"images": 20, "encoder": "pixels"})
    assert page.count("<tr>") == 2
    assert page.startswith("<table>")
