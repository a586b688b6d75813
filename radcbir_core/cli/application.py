"""The program itself: what all commands have in common.

Owns the application, the exit codes, what is said when a command fails or is stopped, and the options that several
commands have. A user's error is one line and exit code 2.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.exceptions import Abort, TyperException

from radcbir_core.cli.remedies import in_full
from radcbir_core.errors import RadcbirError

EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_STOPPED = 130
GOES_ON = frozenset({"build", "demo", "train-mini", "find-text"})
"""The commands that keep what is finished when they are stopped, beside an import from a server; of the others nothing
stays."""

app = typer.Typer(
    help="Content-based retrieval of radiological images with foundation models. Research use only. Not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
complaints = Console(stderr=True, soft_wrap=True, highlight=False)

Name = Annotated[str, typer.Argument(help="The collection's name.", metavar="NAME")]
EncoderOption = Annotated[
    str | None,
    typer.Option("--encoder", metavar="ENC", help="An encoder; may be left out where the collection has only one."),
]
Excluded = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="WHAT",
        help="What a query may not return: duplicate, near-duplicate, series, study, patient, dataset, or none. Repeat "
        "it, or join with commas.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What stands behind ``python -m radcbir_core``; the process's own by default.

    Returns:
        The exit code: 0, 1 where the doctor found a fault, 2 after a user's error, 130 when stopped.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(args=words, standalone_mode=False)
    except RadcbirError as error:
        return _fail(in_full(error))
    except TyperException as error:
        return _fail(error.format_message())
    except (Abort, KeyboardInterrupt):
        return _stopped(words)
    except BrokenPipeError:
        # The reader of a pipe (`… | head`) has had enough: nothing is wrong.
        sys.stderr.close()
        return 0
    if code == EXIT_STOPPED:
        return _stopped(words)
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    complaints.print(Text(f"Error: {' '.join(message.split())}"))
    return EXIT_ERROR


def _stopped(words: Sequence[str]) -> int:
    goes_on = bool(words) and (words[0] in GOES_ON or any(word.startswith("--dicomweb") for word in words))
    does = "it goes on from what is finished" if goes_on else "it begins anew"
    complaints.print(f"Stopped. Run the same command again: {does}.")
    return EXIT_STOPPED
