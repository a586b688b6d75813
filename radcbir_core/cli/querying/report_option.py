"""``query --report``: the hits as a case report, a file to keep, to send and to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode, urlsplit

import typer

from radcbir_core.errors import QueryError
from radcbir_core.storage import atomic_bytes, digest_file

if TYPE_CHECKING:
    from radcbir_core.evaluation.similarity_readings import Readings
    from radcbir_core.search.retriever import Answer, Retriever

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html|FILE.pdf", help="Write a case report; .pdf needs a browser."),
]
ShowTextOption = Annotated[
    bool,
    typer.Option(
        "--show-text", help="Show text that is burned into pictures in the report, and do not paint it black."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="URL", help="Of the dashboard, for the link in the report: http://host:8501, for example."
    ),
]
_KINDS: Final = (".html", ".pdf")


def check_report(path: Path | None, address: str | None = None) -> None:
    """See that a report can be written there, before anything is searched.

    Args:
        path: Of the report; None where none is asked for.
        address: Of the dashboard.

    Raises:
        QueryError: It has another ending, its folder is not there, or the address is none of a page.
    """
    if path is None:
        if address is not None:
            raise QueryError("Expected --report with --address, but there is none. Leave --address out, or give both.")
        return
    if address is not None and not _is_address(address):
        raise QueryError(
            f"Expected the address of the dashboard, but --address is {address!r}. Write, for example, http://host:8501"
        )
    if path.suffix.lower() not in _KINDS:
        raise QueryError(f"Expected a report to be {' or '.join(_KINDS)}, but --report is {path}. Give one of these.")
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise QueryError(f"Expected a file to write a report to, but --report is {path}: {why}. Give another.")


def write_report(
    path: Path,
    answer: Answer,
    retriever: Retriever,
    readings: Readings | None,
    *,
    where: Mapping[str, Sequence[str]],
    exclude: Sequence[str],
    k: int,
    link: Mapping[str, str | Sequence[str]],
    notes: Sequence[str] = (),
    file: Path | None = None,
    shows_text: bool = False,
    dashboard: str | None = None,
) -> None:
    """Write a case report of an answer.

    Args:
        path: Where to.
        answer: The hits.
        retriever: Which has found them.
        readings: What their similarities mean, where that is known.
        where: Which images alone were searched.
        exclude: What of the query was left out.
        k: How many hits were asked for.
        link: What the address of the page Retrieval says of the query, besides collection, encoder and these.
        notes: What else to know about the hits, a sentence each.
        file: The query's, where it is in no collection.
        shows_text: Whether text that is burned into pictures is shown, and not painted black.
        dashboard: Its address; without one the report has the rest of the link, and says so.

    Raises:
        StorageError: No space left, no permission, or no browser that prints.
    """
    from radcbir_core.burned_text.picture_look import header_tells, look_if_installed
    from radcbir_core.case_reports.browser_printing import print_to_pdf
    from radcbir_core.case_reports.report_content import report_of
    from radcbir_core.case_reports.report_markup import html_of

    conditions = [f"{column}={value}" for column, values in where.items() for value in values]
    address = {
        "collection": retriever.collection.name,
        "encoder": retriever.store.encoder_id,
        **link,
        "k": str(k),
        "exclude": list(exclude) or ["none"],
        "where": conditions,
    }
    html = html_of(
        report_of(
            answer,
            retriever.store,
            readings=readings,
            where=where,
            exclude=exclude,
            k=k,
            notes=notes,
            link=lambda parameters: f"{(dashboard or '').rstrip('/')}/retrieval?{urlencode(parameters, doseq=True)}",
            hides_text=not shows_text,
            look=look_if_installed(),
            told=[digest_file(file)] if file is not None and header_tells(file) else [],
            address={name: [value] if isinstance(value, str) else value for name, value in address.items() if value},
        )
    )
    if path.suffix.lower() == ".pdf":
        print_to_pdf(html, path)
    else:
        atomic_bytes(path, html.encode())


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
