"""``evaluate`` and its relatives: how well an encoder retrieves, and what else its embeddings tell."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radcbir_core.cli.application import EncoderOption, Excluded, Name, app
from radcbir_core.cli.arguments import encoder_id_in, words_of
from radcbir_core.cli.printing import bars, check_folder, number, print_table, print_written, with_interval, write_csv
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import EvaluationError

if TYPE_CHECKING:
    from radcbir_core.collections.store import EncoderStore


@app.command()
def evaluate(
    name: Name,
    encoder: EncoderOption = None,
    protocol: Annotated[
        str,
        typer.Option(help="leave-one-out; split (gallery = train, queries = test); or paper, as it was published."),
    ] = "leave-one-out",
    exclude: Excluded = None,
    divisor: Annotated[
        str | None, typer.Option(help="k (default), or available: min(k, relevant images in the gallery).")
    ] = None,
    versus: Annotated[
        str | None,
        typer.Option("--versus", metavar="ENC", help="Compare with a second encoder, pair by pair; or with chance."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the whole table as CSV.")] = None,
    hits: Annotated[
        Path | None, typer.Option("--hits", help="Write each query's hits as CSV, best first; .csv.gz is compressed.")
    ] = None,
) -> None:
    """Precision at k, micro and macro, per level and label. Leave-one-out excludes the query's patient by default."""
    from radcbir_core.evaluation import KS, PAPER, Protocol
    from radcbir_core.evaluation import evaluate as run
    from radcbir_core.evaluation.reports.hitlist import hits_csv

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=words_of(exclude, default=None), divisor=divisor)
    if versus is not None:
        if hits is not None:
            raise EvaluationError(
                f"Expected --versus without --hits, but --hits = {hits}. Write the hits of each encoder by itself."
            )
        _compare(store, versus, chosen, output=output)
        return
    for path in (output, hits):
        check_folder(path)
    with bars() as progress:
        take = None if hits is None else partial(hits_csv, collection.manifest, hits)
        evaluation = run(store, chosen, progress=progress, take_hits=take)
    if output is not None:
        write_csv(output, evaluation.table[list(chosen.columns)])
    shown = [k for k in chosen.ks if chosen.name != PAPER or k in {*KS, 100}]
    means = evaluation.table[(evaluation.table["averaging"] != "label") & evaluation.table["k"].isin(shown)]
    rows = [
        [level, averaging, f"{part['n_queries'].max()}", *(with_interval(row) for row in part.to_dict("records"))]
        for (level, averaging), part in means.groupby(["level", "averaging"], sort=False)
    ]
    print_table(
        ["level", "averaging", "queries", *(f"P@{k}" for k in shown)],
        rows,
        title=f"{name} with {store.encoder_id}: {chosen.describe()}",
    )
    for note in evaluation.notes:
        print(note)
    print_written((output, len(evaluation.table)))
    if hits is not None:
        print(f"Wrote the hits of {evaluation.queries['row'].nunique()} queries to {hits}.")


@app.command("evaluate-ranking")
def evaluate_ranking(
    name: Name,
    encoder: EncoderOption = None,
    relevance: Annotated[
        str, typer.Option("--relevance", help="same-label, any-shared, all-shared, or jaccard (graded).")
    ] = "any-shared",
    protocol: Annotated[str, typer.Option(help="leave-one-out, or split (gallery = train, queries = test).")] = (
        "leave-one-out"
    ),
    exclude: Excluded = None,
    k: Annotated[list[int] | None, typer.Option("-k", "--k", help="Repeat it; 1, 3, 5 and 10 by default.")] = None,
    ap_divisor: Annotated[
        str, typer.Option("--ap-divisor", help="Of mAP@k: available = min(k, relevant images); relevant; found.")
    ] = "available",
    r_precision: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--r-precision", help="Also R-precision: as many hits as there are relevant images.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Write the whole table as CSV.")] = None,
) -> None:
    """NDCG, mAP, recall, hit rate and P at k, where images may show several pathologies; micro and macro."""
    from radcbir_core.evaluation import KS, Protocol
    from radcbir_core.evaluation.reports.ranking import evaluate_ranking as run

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=words_of(exclude, default=None), ks=None if protocol == "paper" else k or KS)
    check_folder(output)
    with bars() as progress:
        found = run(
            store, chosen, rule=relevance, ap_divisor=ap_divisor, with_r_precision=r_precision, progress=progress
        )
    if output is not None:
        write_csv(output, found.table)
    means = found.table[found.table["averaging"] != "label"].copy()
    means["precision"] = means["value"]
    rows = [
        [averaging, metric, f"{part['n_queries'].max()}", *(with_interval(row) for row in part.to_dict("records"))]
        for (averaging, metric), part in means.dropna(subset="k").groupby(["averaging", "metric"], sort=False)
    ]
    excluded = f"{' and '.join(chosen.exclude)} excluded" if chosen.exclude else "nothing but the query excluded"
    print_table(
        ["averaging", "metric", "queries", *(f"@{k}" for k in chosen.ks)],
        rows,
        title=f"{name} with {store.encoder_id}: {relevance}; {chosen.name}, {excluded}; mAP divided by {ap_divisor}",
    )
    for row in means[means["k"].isna()].to_dict("records"):
        print(f"R-precision, {row['averaging']}: {with_interval(row)}")
    for note in found.notes:
        print(note)
    print_written((output, len(found.table)))


@app.command("evaluate-space")
def evaluate_space(
    name: Name,
    encoder: EncoderOption = None,
    exclude: Annotated[
        str, typer.Option("--exclude", help="Pairs that do not count: of one patient, study, series, duplicate; none.")
    ] = "patient",
    level: Annotated[str, typer.Option(help="Of the silhouettes and of the matrix: modality, anatomy, label.")] = (
        "label"
    ),
    output: Annotated[Path | None, typer.Option(help="Write the whole table as CSV, with all labels.")] = None,
    silhouettes: Annotated[
        Path | None, typer.Option("--silhouettes", help="Write where each image lies among the labels as CSV.")
    ] = None,
    matrix: Annotated[
        Path | None, typer.Option("--matrix", help="Write the mean similarity of each pair of labels as CSV.")
    ] = None,
) -> None:
    """How similar images are within labels and between them: exact means over all pairs of images; silhouettes."""
    from radcbir_core.collections.manifest import LEVELS
    from radcbir_core.evaluation.reports.silhouettes import lay_out
    from radcbir_core.evaluation.reports.space import evaluate_space as run

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    for path in (output, silhouettes, matrix):
        check_folder(path)
    exclude_one = "" if exclude == "none" else exclude
    table, notes = run(store, exclude=exclude_one)
    layout = None
    # Nobody who has labels at other levels only, and asked for no more, is to be told that these are missing.
    if silhouettes or matrix or level not in LEVELS or (table["level"] == level).any():
        with bars() as progress:
            layout = lay_out(store, level=level, exclude=exclude_one, progress=progress)  # type: ignore[arg-type]  # refused with a message
    if output is not None:
        write_csv(output, table)
    if layout is not None and matrix is not None:
        write_csv(matrix, layout.matrix)
    if layout is not None and silhouettes is not None:
        ids = collection.manifest.frame["image_id"].to_numpy(dtype=object)[layout.images["row"].to_numpy()]
        write_csv(silhouettes, layout.images.assign(row=ids).rename(columns={"row": "image_id"}))
    rows = [
        [row["level"], row["averaging"], row["n_images"], row["n_pairs"]]
        + [number(row[column]) for column in ("within", "between", "gap", "relative_gap")]
        for row in table[table["averaging"] != "label"].to_dict("records")
    ]
    without = "all pairs" if exclude == "none" else f"pairs of one {exclude} left out"
    print_table(
        ["level", "averaging", "images", "pairs within", "within", "between", "gap", "relative gap"],
        rows,
        title=f"{name} with {store.encoder_id}: mean cosine, {without}",
    )
    written: list[tuple[Path | None, int]] = [(output, len(table))]
    if layout is not None:
        labels = layout.labels()
        known = layout.images["silhouette"].dropna()
        if len(known):
            print(
                f"Mean silhouette at the level {level}: micro {known.mean():.3f} of {len(known)} images, "
                f"macro {labels['silhouette'].mean():.3f} of {len(labels)} labels; nearer to another label: "
                f"{100 * (known < 0).mean():.1f} % of images."
            )
        notes = tuple(dict.fromkeys([*notes, *layout.notes]))
        written += [(silhouettes, len(layout.images)), (matrix, len(layout.matrix))]
    for note in notes:
        print(note)
    print_written(*written)


@app.command("evaluate-index-size")
def evaluate_index_size(
    name: Name,
    encoder: EncoderOption = None,
    protocol: Annotated[str, typer.Option(help="leave-one-out, or split (gallery = train, queries = test).")] = (
        "leave-one-out"
    ),
    level: Annotated[str, typer.Option(help="modality, anatomy or label.")] = "label",
    fraction: Annotated[
        list[float] | None, typer.Option("--fraction", help="Of the gallery's patients, 0 to 1. Repeat it.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", help="Galleries of each size.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the drawing.")] = 0,
    exclude: Excluded = None,
    divisor: Annotated[
        str | None, typer.Option(help="k (default), or available: min(k, relevant images in the gallery).")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the whole table as CSV.")] = None,
) -> None:
    """P at k against the size of the gallery: drawn smaller by whole patients; mean and standard deviation of draws."""
    from radcbir_core.evaluation import Protocol
    from radcbir_core.evaluation.reports.index_size import FRACTIONS
    from radcbir_core.evaluation.reports.index_size import evaluate_index_size as run

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=words_of(exclude, default=None), divisor=divisor)
    check_folder(output)
    with bars() as progress:
        table = run(
            store,
            chosen,
            level=level,  # type: ignore[arg-type]  # any other word is refused with a message
            fractions=fraction or FRACTIONS,
            draws=draws,
            seed=seed,
            progress=progress,
        )
    if output is not None:
        write_csv(output, table)
    rows = [
        [averaging, f"{part:g}", round(lines["gallery"].iloc[0])]
        + [f"{mean:.3f} ± {std:.3f}" for mean, std in zip(lines["mean"], lines["std"], strict=True)]
        for (averaging, part), lines in table.groupby(["averaging", "fraction"], sort=False)
    ]
    print_table(
        ["averaging", "fraction", "gallery", *(f"P@{k}" for k in chosen.ks)],
        sorted(rows, key=lambda row: row[0], reverse=True),
        title=f"{name} with {store.encoder_id}, level {level}: {chosen.describe()}; {draws} draws",
    )
    if chosen.divisor == "k":
        print(
            "A small gallery may hold fewer than k images of a label, which alone lowers P@k; "
            "with --divisor available it does not."
        )
    print_written((output, len(table)))


@app.command("evaluate-probes")
def evaluate_probes(
    name: Name,
    encoder: EncoderOption = None,
    level: Annotated[str, typer.Option(help="modality, anatomy or label.")] = "label",
    k: Annotated[list[int] | None, typer.Option("-k", "--k", help="Hits that vote. Repeat it; 1, 5 and 20.")] = None,
    c: Annotated[float, typer.Option("--c", help="Inverse strength of the linear probe's penalty.")] = 1.0,
    output: Annotated[Path | None, typer.Option(help="Write the whole table as CSV.")] = None,
) -> None:
    """Labels read off embeddings, from split train to split test: a vote of the nearest images, a linear classifier."""
    from radcbir_core.evaluation.reports.probing import KNN_KS, method_name
    from radcbir_core.evaluation.reports.probing import evaluate_probes as run

    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder))
    check_folder(output)
    with bars() as progress:
        found = run(store, level=level, ks=k or KNN_KS, c=c, progress=progress)  # type: ignore[arg-type]  # refused with a message
    if output is not None:
        write_csv(output, found.table)
    rows = []
    for row in found.table.to_dict("records"):
        scores = [
            with_interval({"precision": row[score], "low": row[f"{short}_low"], "high": row[f"{short}_high"]})
            for score, short in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced"))
        ]
        means = (f"{row[name]:.3f}" for name in ("macro_f1", "macro_auroc"))
        rows.append([method_name(row["method"], row["k"]), *scores, *means])
    print_table(
        ["method", "accuracy", "balanced accuracy", "macro F1", "macro AUROC"],
        rows,
        title=f"{name} with {store.encoder_id}, level {level}: learned from {found.n_train} images, asked about "
        f"{found.n_test} of {found.n_labels} labels",
    )
    for note in found.notes:
        print(note)
    print_written((output, len(found.table)))


def _compare(store: EncoderStore, versus: str, protocol: Any, *, output: Path | None) -> None:
    """What ``evaluate --versus`` prints: B − A at every level and k, and what to make of the labels."""
    from radcbir_core.evaluation.reports.comparing import check_sides, compare, label_note, verdict
    from radcbir_core.evaluation.statistics.chance import CHANCE

    collection = store.collection
    other = None if versus == CHANCE else collection.store(encoder_id_in(collection, versus))
    check_sides(store, other, protocol)
    with bars() as progress:
        found = compare(store, other, protocol, progress=progress)
    if output is not None:
        write_csv(output, found.table)
    words = {"A": "A is better", "B": "B is better", "open": "not clear", "none": "one patient only"}
    rows = [
        [
            *(row["level"], row["averaging"], row["k"], f"{row['a']:.3f}", f"{row['b']:.3f}"),
            *(number(row[name], sign="+") for name in ("difference", "low", "high")),
            words[verdict(row["low"], row["high"])],
        ]
        for row in found.means().to_dict("records")
    ]
    print_table(
        ["level", "averaging", "k", "A", "B", "B - A", "low", "high", "95 % interval says"],
        rows,
        title=f"{collection.name}: A = {found.a}, B = {found.b}; {protocol.describe()}",
    )
    for level in protocol.levels:
        k = int(found.means()["k"].max())
        labels = found.labels_of(level, k)
        if len(labels) > 1:
            print(f"{level}, P@{k} of {len(labels)} labels: {label_note(labels)}")
    for note in found.notes:
        print(note)
    print_written((output, len(found.table)))
