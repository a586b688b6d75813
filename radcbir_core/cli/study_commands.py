"""``studies`` and ``study-make``: reader studies, how far their readers are, and their answers as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from radcbir_core.audit import account
from radcbir_core.cli.application import AsJson, EncoderOption, Excluded, Name, app
from radcbir_core.cli.arguments import conditions_of, encoder_id_in, words_of
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, check_folder, number, print_table, print_written
from radcbir_core.cli.remedies import program
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import QueryError
from radcbir_core.storage import atomic_bytes
from radcbir_core.wording import counted

if TYPE_CHECKING:
    from radcbir_core.collections.reader_studies.study_definition import Design, Reveal


@app.command()
def studies(
    name: Name,
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="One of them: its figures.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the answers of STUDY to this CSV.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """List the reader studies of a collection, or the answers of one: one row a reader, case and condition."""
    from radcbir_core.collections.reader_studies.reading_log import read_readings
    from radcbir_core.collections.reader_studies.study_definition import list_studies, read_study
    from radcbir_core.collections.reviews.review_table import csv_of
    from radcbir_core.reader_study.study_summary import difference_of, figures_by_condition
    from radcbir_core.reader_study.study_table import study_table

    check_folder(output)
    collection = open_collection(name)
    if study is None:
        if output is not None:
            raise QueryError("Expected a study whose answers are written, but none is named. Name it behind NAME.")
        rows = []
        for one in (read_study(collection.folder, each) for each in list_studies(collection.folder)):
            entries = read_readings(collection.folder, one.name).entries
            readers = sum(entry.kind == "joined" for entry in entries)
            answers = sum(entry.kind == "answer" and entry.period != "0" for entry in entries)
            rows.append([one.name, one.title, len(one.cases), one.design, one.encoder_id, readers, answers])
        header = ["study", "title", "cases", "design", "encoder", "readers", "answers"]
        if as_json:
            print(json.dumps([dict(zip(header, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
            return
        print_table(header, rows)
        if not rows:
            print(f"There is no reader study. Make one: {program()} study-make {name} STUDY --answer A --answer B")
        return
    definition = read_study(collection.folder, study)
    table = study_table(collection, definition)
    if output is not None:
        atomic_bytes(output.absolute(), csv_of(table))
    if as_json:
        print(table.to_json(orient="records", indent=2, force_ascii=False))
        return
    print_table(
        ["condition", "readings", "readers", "cases", "right", "low", "high", "median seconds", "mean confidence"],
        [
            [one.condition, one.readings, one.readers, one.cases]
            + [number(value) for value in (one.accuracy.value, one.accuracy.low, one.accuracy.high)]
            + [f"{one.seconds:.1f}", f"{one.confidence:.1f}"]
            for one in figures_by_condition(table)
        ],
    )
    pairs, gained = difference_of(table)
    if pairs:
        print(
            "With less without retrieval, over "
            f"{counted(pairs, 'pair of a reader and a case', 'pairs of a reader and a case')} with both: "
            f"{number(gained.value, sign='+')} ({number(gained.low, sign='+')} to {number(gained.high, sign='+')})."
        )
    print_written((output, len(table)))
    print(f"{counted(len(table), 'answer')}. This is a look; the table is for a model.")


@app.command("study-make")
def study_make(
    name: Name,
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Its name, in addresses: a-z, 0-9, _ and -.")],
    answers: Annotated[list[str], typer.Option("--answer", metavar="LABEL", help="What can be answered. Repeat it.")],
    encoder: EncoderOption = None,
    title: Annotated[str, typer.Option("--title", help="What readers see.")] = "",
    question: Annotated[str, typer.Option("--question", help="What readers are asked.")] = "What does this image show?",
    column: Annotated[
        str, typer.Option("--column", metavar="NAME", help="Answers are its values: pathologies, anatomy, modality.")
    ] = "pathologies",
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="COLUMN=VALUE", help="Which images are cases. Repeat it.")
    ] = None,
    cases: Annotated[int, typer.Option("--cases", help="How many.")] = 20,
    practice: Annotated[int, typer.Option("--practice", help="How many come before and do not count.")] = 2,
    balance: Annotated[
        str, typer.Option("--balance", metavar="HOW", help="Cases of each answer: equal, or 'as there are'.")
    ] = "equal",
    with_further_labels: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--with-further-labels", help="Take images too that show something else beside the answer.")
    ] = False,
    k: Annotated[int, typer.Option("-k", help="Hits a case.")] = 6,
    exclude: Excluded = None,
    design: Annotated[
        str, typer.Option("--design", metavar="HOW", help="crossover: each case in both conditions; split: in one.")
    ] = "crossover",
    washout: Annotated[float, typer.Option("--washout", metavar="HOURS", help="Between both readings.")] = 0.0,
    reveal: Annotated[
        str, typer.Option("--reveal", metavar="WHEN", help="When readers are told: never, end, each (split only).")
    ] = "end",
    confidence: Annotated[int, typer.Option("--confidence", help="5: from 1 to 5. 100: from 0 to 100.")] = 5,
    hide_similarity: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--hide-similarity", help="Do not tell readers how similar hits are.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw and of all orders.")] = 0,
) -> None:
    """Make a reader study: draw its cases, search their hits, keep both. Readers answer on the page Reading."""
    from radcbir_core.collections.groups import default_exclusions
    from radcbir_core.reader_study.study_making import StudyRequest, make_study
    from radcbir_core.search.retriever import Retriever

    collection = open_collection(name)
    retriever = Retriever(collection, encoder_id_in(collection, encoder))
    request = StudyRequest(
        name=study,
        answers=tuple(answers),
        cases=cases,
        title=title,
        question=question,
        column=column,
        where=conditions_of(where or (), collection.manifest.column_names),
        alone=not with_further_labels,
        balance=balance,
        practice=practice,
        k=k,
        exclude=words_of(exclude, default=("duplicate", *default_exclusions(retriever.store))),
        design=cast("Design", design),  # it is checked where the study is made
        washout_hours=washout,
        reveal=cast("Reveal", reveal),
        most_confidence=confidence,
        shows_similarity=not hide_similarity,
        seed=seed,
    )
    put_on_record("make study", name)
    with bars() as progress:
        made = make_study(retriever, request, by=account(), progress=progress)
    print(f"Made {made.name} with {counted(len(made.cases), 'case')} and {len(made.practice)} for practice.")
    print(f"Readers open /reading?collection={name}&study={made.name} on the dashboard.")
