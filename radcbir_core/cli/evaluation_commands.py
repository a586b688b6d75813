"""``evaluate`` and its relatives: one command an evaluation, made from what the evaluation says of itself.

Owns how choices become options, and how a result is printed and written. What can be chosen, and what comes of it, is
the evaluations'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from radcbir_core.cli.application import EncoderOption, Excluded, Name, app
from radcbir_core.cli.arguments import encoder_id_in, words_of
from radcbir_core.cli.printing import bars, check_folder, print_table, print_written, write_csv
from radcbir_core.cli.remedies import option_of
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import EVALUATIONS, Result, evaluation_on
from radcbir_core.evaluation.baseline import with_baseline
from radcbir_core.evaluation.evaluation import Evaluation
from radcbir_core.evaluation.reports.hitlist import hits_csv
from radcbir_core.evaluation.statistics.chance import CHANCE

_DIVISOR = Annotated[
    str | None, typer.Option("--divisor", help="k (default), or available: min(k, relevant images in the gallery).")
]
_EMPTY = Annotated[
    str | None,
    typer.Option("--empty", help="Queries without a relevant image: skip (default) leaves them out, zero counts 0."),
]
_SEEN = Annotated[
    str | None,
    typer.Option(
        "--seen", help="Queries that the encoder has seen in training: skip (default) leaves them out, count."
    ),
]
_KS = Annotated[list[int] | None, typer.Option("-k", "--k", help="Repeat it; 1, 3, 5 and 10 by default.")]
_OF_PROTOCOLS = {"exclude": Excluded, "divisor": _DIVISOR, "empty": _EMPTY, "seen": _SEEN, "ks": _KS}
_HITS = Annotated[
    Path | None, typer.Option("--hits", help="Write each query's hits as CSV, best first; .csv.gz is compressed.")
]


def command_of(kind: str) -> str:
    """The command of an evaluation; the first of them has the plain word.

    Example:
        >>> command_of("precision"), command_of("space")
        ('evaluate', 'evaluate-space')
    """
    return "evaluate" if kind == next(iter(EVALUATIONS)) else f"evaluate-{kind}"


def _add(evaluation: type[Evaluation]) -> None:
    """Make the command of an evaluation."""

    def command(**given: Any) -> None:
        _run(evaluation, **given)

    options = {"name": Name, "encoder": EncoderOption, **dict(_options(evaluation))}
    command.__doc__ = evaluation.about
    command.__annotations__ = options
    command.__signature__ = Signature(  # type: ignore[attr-defined]  # what typer reads
        [
            Parameter(
                name, Parameter.KEYWORD_ONLY, annotation=kind, default=Parameter.empty if name == "name" else None
            )
            for name, kind in options.items()
        ]
    )
    app.command(command_of(evaluation.kind))(command)


def _options(evaluation: type[Evaluation]) -> Iterator[tuple[str, Any]]:
    """The options of an evaluation: its choices, then the files that its hits and tables can be written to."""
    for item in _choices_of(evaluation):
        yield item.name, _option(evaluation, item)
        if item.name == "protocol":
            yield from ((name, _OF_PROTOCOLS[name]) for name in evaluation.protocol_choices)
    for name, other in evaluation.also.items():
        item = next(item for item in _choices_of(EVALUATIONS[other]) if item.name == name)
        yield name, _option(EVALUATIONS[other], item, instead=f"; this is {command_of(other)} then")
    if "take_hits" in evaluation.callbacks:
        yield "hits", _HITS
    for position, (name, words) in enumerate(evaluation.table_words.items()):
        option = "--output" if position == 0 else f"--{name}"
        yield f"file_{name}", Annotated[Path | None, typer.Option(option, metavar="FILE.csv", help=f"Write: {words}.")]


def _choices_of(evaluation: type[Evaluation]) -> list[Any]:
    return [item for item in fields(evaluation) if item.init]  # type: ignore[arg-type]  # they are dataclasses


def _option(evaluation: type[Evaluation], item: Any, *, instead: str = "") -> Any:
    """The option of a choice.

    Args:
        evaluation: Whose.
        item: The field.
        instead: What choosing it does beside that, where it is offered for another evaluation.
    """
    kind, about = get_type_hints(evaluation)[item.name], f"{item.metadata['about']}{instead}."
    flags = (option_of(item.name), f"--{item.name.rstrip('s')}")[: 2 if len(option_of(item.name)) == 2 else 1]
    if get_origin(kind) is tuple:
        default = f" {', '.join(f'{value:g}' for value in item.default)} by default." if item.default else ""
        kind, about = list[get_args(kind)[0]], f"{about[:-1]}; repeat it.{default}"  # type: ignore[misc]
    elif kind not in {bool, int, float}:
        kind = str
    told = not instead and item.name != "protocol" and not isinstance(item.default, tuple | bool) and item.default != ""
    return Annotated[kind | None, typer.Option(*flags, help=about, show_default=str(item.default) if told else False)]


def _run(kind: type[Evaluation], *, name: str, encoder: str | None, hits: Path | None = None, **given: Any) -> None:
    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    paths = [given.pop(f"file_{table}") for table in kind.table_words]
    if isinstance(given.get("exclude"), list):
        given["exclude"] = words_of(given["exclude"], default=None)
    if given.get("versus") not in {None, CHANCE}:
        given["versus"] = encoder_id_in(collection, given["versus"])
    evaluation = evaluation_on(store, kind.kind, **given)
    if hits is not None and "take_hits" not in evaluation.callbacks:
        raise EvaluationError(
            f"Expected --hits of one encoder by itself, but this is {command_of(evaluation.kind)} and --hits = {hits}. "
            "Write the hits of each encoder by itself."
        )
    # Where a choice made it another evaluation, its tables stand for those that were asked for, in their order.
    files = dict(zip(evaluation.table_words, paths, strict=False))
    for path in (*paths, hits):
        check_folder(path)
    evaluation.check_current(store)
    told: dict[str, Any] = {} if hits is None else {"take_hits": partial(hits_csv, hits)}
    with bars() as progress:
        result = with_baseline(store, evaluation.run(store, progress=progress, **told), progress=progress)
    for table, path in files.items():
        if path is not None:
            write_csv(path, _with_ids(collection, result, table))
    _print(result)
    print_written(*((path, len(result.tables[table])) for table, path in files.items()))
    if hits is not None:
        print(f"Wrote the hits of {result.tables['queries']['row'].nunique()} queries to {hits}.")


def _with_ids(collection: Collection, result: Result, table: str) -> Any:
    """A table as it is written: images by their image_id, not by their row."""
    shown = result.tables[table]
    if "row" not in shown:
        return shown
    return collection.manifest.with_image_ids(shown)


def _print(result: Result) -> None:
    summary = result.summary()
    print_table(list(summary.columns), summary.to_numpy(dtype=object).tolist(), title=result.title)
    for line in (*result.evaluation.remarks(result), *result.notes):
        print(line)


for _evaluation in EVALUATIONS.values():
    _add(_evaluation)
