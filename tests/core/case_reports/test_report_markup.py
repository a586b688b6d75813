"""A case report as HTML: whole, harmless, and with everything in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from radcbir_core.case_reports.report_content import RESEARCH_ONLY, CaseReport, ReportedImage
from radcbir_core.case_reports.report_markup import html_of
from radcbir_core.images.thumbnailing import thumbnail_of

NASTY = "<script>alert(1)</script> & \" ' </style>"
PICTURE = thumbnail_of(np.zeros((8, 8), dtype=np.uint8))


def report(words: str = "chest") -> CaseReport:
    image = ReportedImage(PICTURE, {"anatomy": words, "pathologies": words}, about=words)
    hit = replace(image, about="1", number="0.912", same={"anatomy": "same", "pathology": "other"}, readings=words)
    return CaseReport(
        title=words,
        made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        queries=[image],
        sentences=[words],
        hits=[hit, replace(hit, picture=None, same=None)],
        measure="similarity",
        how={words: words},
        depends_on={words: words},
        notes=[words],
        link=f"http://localhost/?text={words}",
    )


class Tags(HTMLParser):
    """Counts tags, and sees whether each that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(document: str) -> Tags:
    tags = Tags()
    tags.feed(document)
    assert not tags.open
    return tags


@pytest.mark.parametrize("words", ["chest", NASTY])
def test_all_is_said_and_nothing_becomes_markup(words) -> None:
    tags = read(html_of(report(words)))
    names = [name for name, _ in tags.seen]
    assert "script" not in names
    assert names.count("img") == 2
    assert tags.text.count(words) >= 11
    assert "2026-01-02 03:04 UTC" in tags.text
    assert tags.text.count(RESEARCH_ONLY) == 2
    assert "no picture" in tags.text
    assert "✓ same" in tags.text
    assert "✗ other" in tags.text
    handlers = [attributes for _, attributes in tags.seen if any(name.startswith("on") for name in attributes)]
    assert handlers == [{"type": "button", "onclick": "print()"}]
    links = [attributes["href"] for name, attributes in tags.seen if name == "a"]
    assert links == [f"http://localhost/?text={words}"]


def test_it_needs_nothing_else() -> None:
    document = html_of(report())
    tags = read(document)
    sources = [attributes["src"] for _, attributes in tags.seen if "src" in attributes]
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"@import|url\(|<link|<iframe", document)
    assert "default-src 'none'" in document


def test_without_a_link_it_says_why() -> None:
    assert "because of this" in read(html_of(replace(report(), link="", no_link="because of this"))).text
    assert "No address of the dashboard is known" in read(html_of(replace(report(), link=""))).text


def test_without_hits_it_says_so() -> None:
    assert "No image is left to be a hit." in read(html_of(replace(report(), hits=[]))).text
