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
from radcbir_core.cli.remedies import flag as flag_of
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import EVALUATIONS, Protocol, Result, evaluation_of
from radcbir_core.evaluation.evaluation import Evaluation
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.hitlist import hits_csv
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.statistics.chance import CHANCE

_DIVISOR = Annotated[
    str | None, typer.Option("--divisor", help="k (default), or available: min(k, relevant images in the gallery).")
]
_EMPTY = Annotated[
    str | None,
    typer.Option("--empty", help="Queries without a relevant image: skip (default) leaves them out, zero counts 0."),
]
_KS = Annotated[list[int] | None, typer.Option("-k", "--k", help="Repeat it; 1, 3, 5 and 10 by default.")]
_OF_PROTOCOLS = {"exclude": Excluded, "divisor": _DIVISOR, "empty": _EMPTY, "ks": _KS}
_VERSUS = Annotated[
    str | None,
    typer.Option("--versus", metavar="ENC", help="Compare with a second encoder, pair by pair; or with chance."),
]
_HITS = Annotated[
    Path | None, typer.Option("--hits", help="Write each query's hits as CSV, best first; .csv.gz is compressed.")
]


def command_of(kind: str) -> str:
    """The command of an evaluation.

    Example:
        >>> command_of("precision"), command_of("space")
        ('evaluate', 'evaluate-space')
    """
    return "evaluate" if kind == Precision.kind else f"evaluate-{kind}"


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
    """The options of an evaluation: its choices, then the files that its tables can be written to."""
    types = get_type_hints(evaluation)
    items: tuple[Any, ...] = fields(evaluation)  # type: ignore[arg-type]  # evaluations are dataclasses
    for item in items:
        if not item.init:
            continue
        about = f"{item.metadata['about']}."
        flag = flag_of(item.name)
        flags = (flag, f"--{item.name.rstrip('s')}") if len(flag) == 2 else (flag,)
        if item.name == "protocol":
            yield "protocol", Annotated[str | None, typer.Option(*flags, help=about)]
            yield from ((name, _OF_PROTOCOLS[name]) for name in evaluation.protocol_choices)
            continue
        kind = types[item.name]
        if get_origin(kind) is tuple:
            said = ", ".join(f"{value:g}" for value in item.default)
            kind, about = list[get_args(kind)[0]], f"{about[:-1]}; repeat it. {said} by default."  # type: ignore[misc]
        elif kind not in {bool, int, float}:
            kind = str
        shown = "" if isinstance(item.default, tuple | bool) or item.default == "" else f"{item.default}"
        yield item.name, Annotated[kind | None, typer.Option(*flags, help=about, show_default=shown or False)]
    if issubclass(evaluation, Precision):
        if evaluation is Precision:
            yield "versus", _VERSUS
        yield "hits", _HITS
    for position, (name, words) in enumerate(evaluation.table_words.items()):
        flag = "--output" if position == 0 else f"--{name}"
        yield f"file_{name}", Annotated[Path | None, typer.Option(flag, metavar="FILE.csv", help=f"Write: {words}.")]


def _run(kind: type[Evaluation], *, name: str, encoder: str | None, hits: Path | None = None, **given: Any) -> None:
    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    files = {option.removeprefix("file_"): given.pop(option) for option in list(given) if option.startswith("file_")}
    evaluation = _evaluation(kind, collection, hits=hits, **given)
    if isinstance(evaluation, Comparison) and kind is Precision:
        files = {"differences": files["means"], "queries": files["queries"]}
    for path in (*files.values(), hits):
        check_folder(path)
    evaluation.check_current(store)
    told = {} if hits is None else {"take_hits": partial(hits_csv, hits)}
    with bars() as progress:
        result = evaluation.run(store, progress=progress, **told)
    for table, path in files.items():
        if path is not None:
            write_csv(path, _with_ids(collection, result, table))
    _print(result)
    print_written(*((path, len(result.tables[table])) for table, path in files.items()))
    if hits is not None:
        print(f"Wrote the hits of {result.tables['queries']['row'].nunique()} queries to {hits}.")


def _evaluation(kind: type[Evaluation], collection: Collection, *, hits: Path | None, **given: Any) -> Evaluation:
    """The evaluation that these options name."""
    if "protocol" in given and "exclude" in given:
        given["exclude"] = words_of(given["exclude"], default=None)
    versus = given.get("versus")
    if versus is None and kind is Precision:
        del given["versus"]
    elif versus not in {None, CHANCE}:
        given["versus"] = encoder_id_in(collection, str(versus))
    if kind is Precision and versus is not None:
        if hits is not None:
            raise EvaluationError(
                f"Expected --versus without --hits, but --hits = {hits}. Write the hits of each encoder by itself."
            )
        return Comparison(given.pop("versus"), Protocol.of(given.pop("protocol") or Protocol().name, **given))
    return evaluation_of(kind.kind, **given)


def _with_ids(collection: Collection, result: Result, table: str) -> Any:
    """A table as it is written: images by their image_id, not by their row."""
    shown = result.tables[table]
    if "row" not in shown:
        return shown
    ids = collection.manifest.rows(shown["row"].to_numpy(), ["image_id"])["image_id"].to_numpy()
    return shown.assign(row=ids).rename(columns={"row": "image_id"})


def _print(result: Result) -> None:
    summary = result.summary()
    print_table(list(summary.columns), summary.to_numpy(dtype=object).tolist(), title=result.title)
    for line in (*result.evaluation.remarks(result), *result.notes):
        print(line)


for _found in EVALUATIONS.values():
    _add(_found)
