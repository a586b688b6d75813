"""What the import wizard keeps between its steps.

Owns the draft in the session: what was chosen so far, and the widgets' values, which Streamlit forgets as soon as a
widget is not drawn. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import streamlit as st
from streamlit.errors import StreamlitAPIException

from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.importers import ImportRequest
from radcbir_core.importers.preview import Preview

ARCHIVE: Final = "archive"
"""What stands for the format of a source that is an archive of a collection."""
DICOMWEB: Final = "dicomweb"
"""The format of a source that is a server."""

_DRAFT: Final = "radcbir:wizard"


@dataclass
class Draft:
    """An import as far as it has been described.

    Attributes:
        step: Which step is shown, from 0.
        paths: What to import; empty before a source was chosen, and of a server.
        server: The address of a DICOM server to import from instead; "" where there is none.
        wanted: What of it.
        on_server: How many images of each modality that is.
        source_name: What to call that for people.
        notes: What is to be said of the upload.
        format_name: The format; "" before it was found out.
        found_format: What the format was found to be, and by what: the format's name and the reason.
        options: The options of the request that were given.
        looked: What the dry run was of, and what it found.
        started: Whether the work has begun.
        values: Name of a widget → its value.
    """

    step: int = 0
    paths: tuple[Path, ...] = ()
    server: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    on_server: Mapping[str, int] = field(default_factory=dict)
    source_name: str = ""
    notes: tuple[str, ...] = ()
    format_name: str = ""
    found_format: tuple[str, str] = ("", "")
    options: dict[str, Any] = field(default_factory=dict)
    looked: tuple[str, Preview] | None = None
    started: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_session(cls) -> Draft:
        """The draft of this session, begun now if there is none."""
        draft = st.session_state.get(_DRAFT)
        if draft is None:
            draft = st.session_state[_DRAFT] = cls()
        return draft

    @staticmethod
    def forget() -> None:
        """Throw the draft away, and the values of its widgets."""
        st.session_state.pop(_DRAFT, None)
        for key in [key for key in st.session_state if str(key).startswith(f"{_DRAFT}:")]:
            del st.session_state[key]

    def go(self, step: int) -> None:
        """Show another step."""
        self.step = step

    def key(self, name: str, default: Any, *, options: Sequence[Any] | None = None) -> str:
        """The key of a widget, whose value is what it was when it was last drawn, or else ``default``.

        Args:
            name: Of the widget.
            default: Its value at first, and where the one it had is not among ``options``.
            options: What can be chosen, for a widget that offers a choice.
        """
        key = f"{_DRAFT}:{name}"
        value = self.values.get(name, default)
        if options is not None:
            several = isinstance(value, list | tuple)
            value = [v for v in value if v in options] if several else value if value in options else default
        if key not in st.session_state or (options is not None and not _fits(st.session_state[key], options)):
            st.session_state[key] = value
        return key

    def keep(self, name: str, value: Any) -> Any:
        """Remember a widget's value; returns it."""
        self.values[name] = value
        return value

    def choose(
        self, paths: Sequence[Path], name: str, *, recognized: tuple[str, str], notes: Sequence[str] = ()
    ) -> None:
        """Take a source, and forget what was said of another one.

        Args:
            paths: What to import.
            name: What to call that for people.
            recognized: Its format, and what it was recognized by; :data:`ARCHIVE` for a collection that is only opened.
            notes: What is to be said of the upload.
        """
        self.found_format = recognized
        if tuple(paths) != self.paths:
            self._forget_answers()
        self.paths, self.source_name, self.notes = tuple(paths), name, tuple(notes)
        self.server, self.wanted, self.on_server = "", Wanted(), {}
        if recognized[0] == ARCHIVE:
            # There is nothing to ask about it, and nothing to look at: it is checked as it is opened.
            self.format_name, self.step = ARCHIVE, 3
        else:
            self.step = 1

    def choose_server(self, url: str, name: str, wanted: Wanted, counts: Mapping[str, int]) -> None:
        """Take a DICOM server as the source, and forget what was said of another one.

        Args:
            url: Its address.
            name: What to call it for people.
            wanted: What of it.
            counts: Modality → how many images that is.
        """
        if self.paths or url != self.server:
            self._forget_answers()
        self.paths, self.source_name, self.notes = (), name, ()
        self.server, self.wanted, self.on_server = url, wanted, counts
        self.found_format, self.step = (DICOMWEB, "its address"), 1

    def _forget_answers(self) -> None:
        """Forget what was answered about a source."""
        self.format_name, self.options, self.looked = "", {}, None
        for key in [key for key in self.values if not key.startswith("source")]:
            del self.values[key]
            st.session_state.pop(f"{_DRAFT}:{key}", None)

    def back(self) -> None:
        """Show the step before."""
        self.step = 0 if self.format_name == ARCHIVE else self.step - 1

    def request(self, name: str = "dry-run", *, title: str | None = None) -> ImportRequest:
        """The import that it describes."""
        return ImportRequest(list(self.paths), name, title, server=self.server, wanted=self.wanted, **self.options)

    @property
    def identity(self) -> str:
        """Changes whenever the import would be another one."""
        return repr((self.paths, self.format_name, sorted(self.options.items(), key=lambda item: item[0])))


def again() -> None:
    """Draw the wizard anew; the rest of the page too where the whole page is being drawn."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def _fits(value: Any, options: Sequence[Any]) -> bool:
    return all(v in options for v in value) if isinstance(value, list | tuple) else value in options
