"""How the command line says what mends an error: as the command to run, or the options to add."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from radcbir_core.errors import Action, RadcbirError, Remedy, blank

_FLAGS: Final = {
    "fractions": "--fraction",
    "cuts": "--cut",
    "k": "-k",
    "ks": "-k",
    "perturbations": "--perturbation",
    "mapping": "--map",
    "rule": "--relevance",
}
"""Flags that are not the argument's own name."""
_THEN: Final[dict[Action, tuple[str, ...]]] = {"relabel": ("TABLE.csv",)}
"""What a command needs behind its subject, for the reader to fill in."""


def program() -> str:
    """What the reader types before a command: ``radcbir`` where that was how this one was run."""
    return "radcbir" if Path(sys.argv[0]).stem == "radcbir" else "python -m radcbir_core"


def option_of(argument: str) -> str:
    """The option of an argument of the core.

    Example:
        >>> option_of("image_root"), option_of("mapping")
        ('--image-root', '--map')
    """
    return _FLAGS.get(argument, f"--{argument.replace('_', '-')}")


def advice(remedy: Remedy | None) -> str:
    """One sentence to put behind an error's text; empty where there is nothing to add.

    Example:
        >>> advice(Remedy("build", "mine", {"encoder": "pixels"}))
        'Run: python -m radcbir_core build mine --encoder pixels'
        >>> advice(Remedy("again", options={"take_changes": True}))
        'Add: --take-changes'
        >>> advice(Remedy("relabel", "mine"))
        'Run: python -m radcbir_core relabel mine TABLE.csv'
    """
    if remedy is None:
        return ""
    words = [shlex.quote(remedy.subject)] if remedy.subject else []
    words += _THEN.get(remedy.action, ())
    for name, value in remedy.options.items():
        words += [option_of(name), blank(value) or shlex.quote(value)] if isinstance(value, str) else [option_of(name)]
    if remedy.action == "again":
        return f"Add: {' '.join(words)}"
    return f"Run: {' '.join([program(), remedy.action.replace('_', '-'), *words])}"


def in_full(error: RadcbirError) -> str:
    """An error's text with the command that mends it."""
    return f"{error} {advice(error.remedy)}".rstrip()
