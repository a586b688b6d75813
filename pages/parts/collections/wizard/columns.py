"""Which column of a table is which: the column mapping of the import wizard.

Owns the boxes and the guesses that they begin with. What a mapping means is ``radcbir_core.importers.rows.mapping``'s
business.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from pages.parts.collections.wizard.draft import Draft
from radcbir_core.importers.datasets.own_tables import columns_of
from radcbir_core.importers.rows.identifiers import IDENTIFIERS, recognized_columns
from radcbir_core.importers.rows.mapping import TARGETS, naming

LABELS: Final = {
    "path": "Image file",
    "pathologies": "Pathologies",
    "modality": "Modality",
    "anatomy": "Anatomy",
    "patient_id": "Patient",
    "split": "Split (train, val, test)",
}
GUESSES: Final = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image_path", "image index", "image"),
    "pathologies": ("pathologies", "pathology", "finding labels", "findings", "finding", "labels", "label", "class"),
    "modality": ("modality",),
    "anatomy": ("anatomy", "body part", "body_part", "bodypart", "body part examined", "region"),
    "split": ("split", "fold", "set"),
}
"""Names, in lower case, that a column is often given."""

OWN: Final = "—"


def ask(draft: Draft, path: Path, *, header: bool) -> dict[str, str]:
    """Draw a box for each column of the manifest; the mapping, as the import takes it.

    Args:
        draft: The import.
        path: The table.
        header: Whether its first line names its columns.

    Raises:
        ManifestError: The table cannot be read.
    """
    columns = columns_of(path, header=header)
    st.markdown("**Columns** :gray[which column of the table is what; all others are kept as they are]")
    mapping: dict[str, str] = {}
    boxes = st.columns(3, gap="small")
    for number, (target, label) in enumerate(LABELS.items()):
        with boxes[number % 3]:
            mapping |= _one(draft, target, label, columns)
    others = [target for target in TARGETS if target not in LABELS]
    key = draft.key("more columns", default=False)
    if draft.keep("more columns", st.toggle("More columns", key=key)):
        boxes = st.columns(3, gap="small")
        for number, target in enumerate(others):
            with boxes[number % 3]:
                mapping |= _one(draft, target, target, columns)
    return mapping


def guess(target: str, columns: Sequence[str]) -> str:
    """The column that most likely holds what ``target`` means; "" where none looks like it.

    Example:
        >>> guess("path", ["id", "Image Index", "Finding Labels"]), guess("modality", ["id"])
        ('Image Index', '')
    """
    lowered = {column.lower(): column for column in reversed(columns)}
    by_name = next((lowered[name] for name in (*GUESSES.get(target, ()), target) if name in lowered), "")
    return by_name or recognized_columns(columns).get(target, "")


def _one(draft: Draft, target: str, label: str, columns: Sequence[str]) -> dict[str, str]:
    name = f"map {target}"
    guessed = guess(target, columns)
    if target == "pathologies":
        key = draft.key(name, [guessed] if guessed else [], options=columns)
        several = st.multiselect(
            label,
            columns,
            key=key,
            placeholder="none",
            help="One column with the findings' names (several with | between them), or several columns of 0 and 1, "
            "each named after its finding.",
        )
        draft.keep(name, several)
        return {target: naming(several)} if several else {}
    options = [OWN, *columns]
    chosen = st.selectbox(
        label,
        options,
        key=draft.key(name, guessed or OWN, options=options),
        format_func=lambda column: "none" if column == OWN else column,
    )
    draft.keep(name, chosen)
    if chosen == OWN:
        return {target: ""} if target in IDENTIFIERS and guessed else {}
    return {target: chosen}
