"""A case report as one HTML file that needs nothing else, on a screen and on paper.

Owns the markup. Everything that a report says is text, never markup; pictures go along as data. There is no script but
the button that prints, and nothing is fetched: a policy in the file forbids it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from radcbir_core.case_reports.report_content import RESEARCH_ONLY, CaseReport, ReportedImage
from radcbir_core.images.thumbnailing import media_type_of
from radcbir_core.wording import counted

_NAMES: Final = {"pathologies": "findings", "dataset": "data set"}
_MARKS: Final = {"same": "✓", "in part": "◐", "other": "✗", "not labeled": "–"}
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto; padding: 24px;
  max-width: 960px; }
h1 { font-size: 1.5em; margin: 0 0 4px; }
h2 { font-size: 1.1em; margin: 24px 0 8px; border-bottom: 1px solid #bbb; padding-bottom: 4px; }
.only { font-weight: 600; color: #8a1c00; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 14px; padding: 0; margin: 0;
  list-style: none; }
.query { max-width: 220px; }
li { break-inside: avoid; }
img, .none { width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; display: block; }
.none { color: #ddd; display: grid; place-items: center; font-size: .85em; }
.head { font-weight: 600; margin: 4px 0 0; font-variant-numeric: tabular-nums; }
.small, td, th { font-size: .9em; }
.small { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; vertical-align: top; font-weight: 600; padding: 3px 12px 3px 0; width: 14em; }
td { padding: 3px 0; overflow-wrap: anywhere; }
a { color: #00558f; overflow-wrap: anywhere; }
button { font: inherit; padding: 6px 14px; margin-top: 8px; }
blockquote { font-size: 1.1em; margin: 0 0 8px; }
footer { margin-top: 24px; border-top: 1px solid #bbb; padding-top: 8px; font-size: .85em; color: #444; }
@page { size: A4; margin: 14mm; }
@media print { body { padding: 0; max-width: none; } button { display: none; }
  .images { grid-template-columns: repeat(5, 1fr); gap: 8px; } * { print-color-adjust: exact; } }
"""


def html_of(report: CaseReport) -> str:
    """The report as a document."""
    made = report.made.strftime("%Y-%m-%d %H:%M UTC")
    queries = "".join(_image(image, "query") for image in report.queries)
    sentences = "".join(f"<blockquote>{escape(sentence)}</blockquote>" for sentence in report.sentences)
    hits = "".join(_image(image, "hit") for image in report.hits) or "<li>No image is left to be a hit.</li>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(report.title)}</h1>"
        f'<p class="small">{made} · <span class="only">{RESEARCH_ONLY}</span></p>'
        '<button type="button" onclick="print()">Print, or save as PDF</button></header>'
        f'<h2>Query</h2>{sentences}<ul class="images">{queries}</ul>'
        f"<h2>{counted(len(report.hits), 'hit')}, the number beside each: {escape(report.measure)}</h2>"
        f'<ul class="images">{hits}</ul>'
        f"{f'<h2>Notes</h2><ul>{notes}</ul>' if notes else ''}"
        f"<h2>How it was asked</h2>{_table(report.how)}"
        f"<h2>What the ranking depends on</h2>{_table(report.depends_on)}"
        f"<h2>The same ranking</h2>{_link(report)}"
        f"<footer>{RESEARCH_ONLY} Made by RadCBIR. Labels are those of the collection; nobody has checked them for "
        "this report. It holds no identifier of a patient; an image may show what is written in it.</footer>"
        "</body></html>\n"
    )


def _link(report: CaseReport) -> str:
    if report.link and not report.link.startswith(("http://", "https://")):
        said = "Put this behind the address of the dashboard, which is not known here:"
        return f'<p class="small">{said}</p><p class="small">{escape(report.link)}</p>'
    if report.link:
        return f'<p class="small"><a href="{escape(report.link)}" rel="noreferrer">{escape(report.link)}</a></p>'
    return f'<p class="small">{escape(report.no_link or "No address of the dashboard is known here.")}</p>'


def _image(image: ReportedImage, kind: str) -> str:
    about = f"{image.about} · {image.number}" if image.number else image.about
    lines = [f'<p class="head">{escape(about)}</p>'] if about else []
    same = image.same or {}
    signs = {"anatomy": same.get("anatomy"), "pathologies": same.get("pathology")}
    for name, value in image.facts.items():
        sign = signs.get(name)
        said = f" <small>{_MARKS[sign]} {escape(sign)}</small>" if sign else ""
        lines.append(f'<p class="small">{escape(_NAMES.get(name, name))}: {escape(value)}{said}</p>')
    if image.readings:
        lines.append(f'<p class="small">{escape(image.readings)}</p>')
    return f'<li class="{kind}">{_picture(image)}{"".join(lines)}</li>'


def _picture(image: ReportedImage) -> str:
    if image.picture is None:
        return '<div class="none">no picture</div>'
    named = f"hit {image.about}" if image.number else "the query"
    data, kind = base64.b64encode(image.picture).decode(), media_type_of(image.picture)
    return f'<img alt="{escape(named)}" src="data:{kind};base64,{data}">'


def _table(rows: Mapping[str, str]) -> str:
    lines: Iterable[str] = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(lines)}</table>"
