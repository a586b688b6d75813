"""What was measured of sentences, once an encoder and a collection.

Owns one small file in the encoder's folder. It may go at any time: what it says is measured again when it is next
asked for. It is believed under this machine's seal only, and only for the very embeddings and labels of which it was
measured.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.seal import is_sealed, sealed
from radcbir_core.errors import RadcbirError
from radcbir_core.storage import digest_of, read_json, write_json

FILE: Final = "sentence-figures.json"
_FORM: Final = 1
"""To be raised with what is measured, or how."""


def kept_figure(store: EncoderStore, name: str) -> Any:
    """A figure that was kept; None where none was, or where it is of other embeddings or labels."""
    return _kept(store).get(name)


def keep_figure(store: EncoderStore, name: str, value: Any) -> None:
    """Keep a figure beside the others; on a disk that refuses it, nothing is kept.

    Args:
        store: Of whose embeddings it is.
        name: Of the figure.
        value: Plain JSON values.
    """
    figures = {**_kept(store), name: value}
    with contextlib.suppress(OSError, RadcbirError):
        of = _of(store)
        record = {"form": _FORM, "of": of, "figures": figures, "seal": sealed(_digest(of, figures))}
        write_json(store.folder / FILE, record)


def _kept(store: EncoderStore) -> dict[str, Any]:
    try:
        record = read_json(store.folder / FILE)
        of, figures = record["of"], record["figures"]
        if record.get("form") != _FORM or of != _of(store) or not is_sealed(_digest(of, figures), record.get("seal")):
            return {}
    except (OSError, RadcbirError, KeyError, TypeError):
        return {}
    return dict(figures)


def _of(store: EncoderStore) -> str:
    return digest_of(store.evaluated, str(store.record.get("fingerprint", "")))


def _digest(of: str, figures: dict[str, Any]) -> str:
    return digest_of("sentence figures", str(_FORM), of, json.dumps(figures))
