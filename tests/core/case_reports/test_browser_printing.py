"""Printing to PDF by a browser of the machine."""

from __future__ import annotations

import re
import stat

import pytest

from radcbir_core.case_reports import browser_printing
from radcbir_core.case_reports.browser_printing import browser, print_to_pdf
from radcbir_core.errors import StorageError

DOCUMENT = "<!doctype html><title>t</title><p>" + "words " * 3000


@pytest.mark.skipif(browser() is None, reason="no browser to print with")
def test_a_document_becomes_a_pdf(tmp_path) -> None:
    print_to_pdf(DOCUMENT, tmp_path / "case.pdf")
    content = (tmp_path / "case.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["case.pdf"]


def test_without_a_browser_it_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(browser_printing.shutil, "which", lambda name: None)
    with pytest.raises(StorageError, match=r"Expected a browser to print with.*Write the report as \.html"):
        print_to_pdf(DOCUMENT, tmp_path / "case.pdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["exit 3", "echo broken >&2; exit 0", "sleep 9"])
def test_a_browser_that_prints_nothing_leaves_what_was_there(tmp_path, monkeypatch, script) -> None:
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(browser_printing.shutil, "which", lambda name: str(program))
    monkeypatch.setattr(browser_printing, "_SECONDS", 1)
    (tmp_path / "case.pdf").write_text("before")
    with pytest.raises(StorageError, match="Expected a PDF from chromium, but it made none"):
        print_to_pdf(DOCUMENT, tmp_path / "case.pdf")
    assert (tmp_path / "case.pdf").read_text() == "before"
