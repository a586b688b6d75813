"""``python -m radcbir_core …``: parse, call, print.

Owns the commands and how they speak: results on standard output, progress and errors on standard error. A user's error
is one line and exit code 2. Everything that computes lives in the other modules.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text
from typer.exceptions import Abort, TyperException

from radcbir_core.collection import (
    ARCHIVED,
    IMPORTED,
    STEPS,
    Collection,
    collections_folder,
    list_collections,
    open_collection,
    remove_collection,
)
from radcbir_core.errors import (
    CollectionError,
    EncoderError,
    EvaluationError,
    ManifestError,
    QueryError,
    RadcbirError,
)
from radcbir_core.storage import atomic_bytes

if TYPE_CHECKING:
    from radcbir_core.collection import EncoderStore
    from radcbir_core.importers import ImportRequest
    from radcbir_core.retrieval import Measure

EXIT_FAILED = 1
EXIT_ERROR = 2
EXIT_STOPPED = 130

app = typer.Typer(
    help="Content-based retrieval of radiological images with foundation models. Research use only. Not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_errors = Console(stderr=True, soft_wrap=True, highlight=False)

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
        help="What a query may not return: duplicate, series, study, patient, or none. Repeat it, or join with commas.",
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
    try:
        code = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except RadcbirError as error:
        return _fail(str(error))
    except TyperException as error:
        return _fail(error.format_message())
    except (Abort, KeyboardInterrupt):
        return _stopped()
    except BrokenPipeError:
        # The reader of a pipe (`… | head`) has had enough: nothing is wrong.
        sys.stderr.close()
        return 0
    if code == EXIT_STOPPED:
        return _stopped()
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    _errors.print(Text(f"Error: {' '.join(message.split())}"))
    return EXIT_ERROR


def _stopped() -> int:
    _errors.print("Stopped. Run the same command again: it goes on from what is finished.")
    return EXIT_STOPPED


@app.command("import")
def import_(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE…",
            help="Folders or tables; several become one collection together. Or one archive that export has written.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Letters, digits, '.', '_', '-'; it stands in URLs. An archive has one already."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="What people call it; the name by default.")] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="What it is; found out where the layout is plain.")
    ] = None,
    image_root: Annotated[
        Path | None, typer.Option("--image-root", help="What the paths start from; each table's folder by default.")
    ] = None,
    check: Annotated[
        str, typer.Option("--check", help="decode each image; bytes: read only; exists: look whether it is there.")
    ] = "decode",
    modality: Annotated[str, typer.Option("--modality", help="Of all images, where the source does not say.")] = "",
    anatomy: Annotated[str, typer.Option("--anatomy", help="Of all images, where the source does not say.")] = "",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=SOURCE", help="For csv and parquet: pathologies=finding,… Repeat it."),
    ] = None,
    every: Annotated[int, typer.Option("--every", metavar="N", min=1, help="One of N slices of a volume.")] = 1,
    uncertain: Annotated[
        str, typer.Option("--uncertain", help="Uncertain labels: not-positive (default), positive, or own-label.")
    ] = "",
    download: Annotated[
        str,
        typer.Option("--download", metavar="DATASET", help="Fetch a MedMNIST data set, for example pneumoniamnist."),
    ] = "",
    encoder_id: Annotated[
        str, typer.Option("--encoder-id", metavar="ID", help="What made the vectors that are imported.")
    ] = "",
    add: Annotated[bool, typer.Option("--add", help="Add what is new to the collection that has the name.")] = False,  # noqa: FBT002
    take_changes: Annotated[  # noqa: FBT002
        bool, typer.Option("--take-changes", help="With --add: take what a source says otherwise of images known.")
    ] = False,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Look at the first rows and say what would be imported; write nothing.")
    ] = False,
) -> None:
    """Import data sets, tables or folders of images as a new collection. They are checked, and stay where they are."""
    from radcbir_core.archive import is_archive
    from radcbir_core.importers import ImportRequest, import_as
    from radcbir_core.importers.mapping import parse_mapping

    if sources and len(sources) == 1 and is_archive(sources[0]):
        if dry_run:
            raise ManifestError(
                f"Expected a source of images, but --dry-run is given with {sources[0]}, an archive of a collection. "
                "Open it without: it is checked before anything is written."
            )
        _open_archive(sources[0], name, title=title, image_root=image_root)
        return
    if name is None and not dry_run:
        raise ManifestError("Expected a name for the new collection, but --name is not given. Add --name NAME.")
    request = ImportRequest(
        sources or [],
        name or "dry-run",
        title,
        image_root=image_root,
        check=check,  # type: ignore[arg-type]  # any other word is refused with a message
        modality=modality,
        anatomy=anatomy,
        mapping=parse_mapping(mapping or []),
        every=every,
        uncertain=uncertain,
        download=download,
        encoder_id=encoder_id,
        add=add,
        take_changes=take_changes,
    )
    if dry_run:
        _look_at(request, format_name)
        return
    with _bars() as progress:
        report = import_as(request, format_name=format_name, progress=progress)
    if report.changes:
        rows = [[c["column"], c["from"] or "(empty)", c["to"] or "(empty)", c["rows"]] for c in report.changes[:20]]
        _print_table(["column", "in the source", "in the manifest", "rows"], rows, title="Words that were changed")
        if len(report.changes) > len(rows):
            print(f"… and {len(report.changes) - len(rows)} more, in {report.collection.folder / 'collection.json'}")
    if report.problems:
        reasons = report.collection.problems()["reason"].value_counts()
        _print_table(["reason", "rows"], [[r, n] for r, n in reasons.head(10).items()], title="Problems")
        print(f"Each of them: {report.collection.folder / 'problems.csv'}")
    for note in report.notes:
        print(f"Note: {note}")
    print(f"Next: python -m radcbir_core build {name} --encoder {encoder_id or 'pixels'}")
    print(
        f"Imported {report.images} images into {name}; {report.problems} problems; "
        f"{report.duplicates} exact duplicates in {report.duplicate_groups} groups."
    )


def _look_at(request: ImportRequest, format_name: str | None) -> None:
    """What ``import --dry-run`` prints: what was recognized, the first rows, counts of labels, changes, problems."""
    from radcbir_core.importers.formats import reason_for
    from radcbir_core.importers.preview import COUNTED, preview

    found = preview(request, format_name=format_name)
    for path, known in zip(request.paths, found.formats, strict=True):
        why = f", recognized by {reason_for(path, known)}" if format_name is None else ""
        print(f"{path}: {known.about} (--format {known.name}{why})")
    columns = [str(name) for name in found.table if any(len(cell) for cell in found.table[name])]
    rows = [["|".join(cell) if isinstance(cell, list) else cell for cell in row] for row in found.table[columns].values]
    _print_table(columns, rows, title="The first rows")
    for name in COUNTED:
        counts = list(found.counts[name].items())
        _print_table([name, "images"], [[value, count] for value, count in counts[:15]])
        if len(counts) > 15:
            print(f"… and {len(counts) - 15:,} more")
    changed = [[c["column"], c["from"] or "(empty)", c["to"] or "(empty)", c["rows"]] for c in found.changes[:20]]
    _print_table(["column", "in the source", "in the manifest", "rows"], changed, title="Words that would be changed")
    reasons = found.problems["reason"].value_counts()
    _print_table(["reason", "rows"], [[r, n] for r, n in reasons.head(10).items()], title="Problems")
    for note in found.notes:
        print(f"Note: {note}")
    if found.refusal:
        raise ManifestError(found.refusal)
    whole = f"{found.read:,} rows" if found.complete else f"the first {found.read:,} of about {found.about:,} rows"
    print(
        f"Nothing was written. Of {whole}, {found.problem_count - found.files_refused:,} cannot be used; of the files, "
        f"{found.looked_at:,} were looked at, and {found.files_refused:,} of these cannot be used."
    )


def _open_archive(path: Path, name: str | None, *, title: str | None, image_root: Path | None) -> None:
    """What ``import`` does with a collection that export has written."""
    from radcbir_core.archive import open_archive
    from radcbir_core.changing import check_title, rename_collection

    title = None if title is None else check_title(title)
    with _bars() as progress:
        collection = open_archive(path, name, image_root=image_root, progress=progress)
    if title is not None:
        collection = rename_collection(collection.name, collection.name, title=title)
    built = ", ".join(collection.encoder_ids()) or "no encoder"
    if not collection.record[ARCHIVED].get("images") and image_root is None:
        print(f"Next, for its images: python -m radcbir_core relocate {collection.name} --image-root FOLDER")
    print(f"Opened {path} as {collection.name}: {len(collection)} images, built with {built}.")


@app.command()
def build(
    name: Name,
    encoder: Annotated[str, typer.Option("--encoder", metavar="ENC", help="pixels, biomedclip, local-dir:PATH, …")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding threads; one a CPU core by default.")] = None,
) -> None:
    """Embed, index, find neighbors, evaluate and project. Stopped and run again, it goes on where it stopped."""
    from radcbir_core.build import build as build_all
    from radcbir_core.build import build_imported
    from radcbir_core.encoders import load_encoder

    collection = open_collection(name)
    imported = encoder.removeprefix(IMPORTED)
    if imported in collection.encoder_ids() and collection.store(imported).imported:
        encoder_id = imported
        with _bars() as progress:
            report = build_imported(collection, encoder_id, progress=progress)
    else:
        loaded = load_encoder(_spec_in(collection, encoder), device=device)
        encoder_id = loaded.encoder_id
        with _bars() as progress:
            report = build_all(collection, loaded, workers=workers, progress=progress)
    rows = [[s, f"{report.seconds[s]:.1f} s" if s in report.seconds else "was current"] for s in STEPS]
    _print_table(["step", "time"], rows, title=f"{name} with {encoder_id}")
    if not math.isnan(report.recall):
        print(f"Recall@10 of the approximate index against exact search: {report.recall:.4f}")
    if report.failed:
        print(f"Could not be embedded: {report.failed}, listed in {collection.folder / 'problems.csv'}")
    print(f"Built {name} with {encoder_id}: {report.images} images, {report.failed} failed.")


@app.command()
def demo(
    phantoms: Annotated[
        int | None, typer.Option("--phantoms", metavar="N", min=1, help="How many images; 2400 by default.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The collection's name.")] = "phantoms",
) -> None:
    """Draw a collection of phantoms and build it with radcbir-mini: all there is to try, at once and without network.

    Stopped and run again, it goes on where it stopped; what is there already is left as it is.
    """
    from radcbir_core.demo import ENCODER, STAGES, make_demo

    with _bars() as progress:
        report = make_demo(name=name, images=phantoms, progress=progress)
    made = [[stage, f"{report.seconds[stage]:.1f} s"] for stage in STAGES if stage in report.seconds]
    _print_table(["step", "time"], made, title=f"{name} with {ENCODER}")
    print("Next: streamlit run app.py")
    print(f'Or:   python -m radcbir_core query {name} --text "chest radiograph with pleural effusion"')
    done = "Made" if made else "Everything was there already:"
    print(f"{done} {name} with {ENCODER}: {report.images} images.")


@app.command("train-mini")
def train_mini(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Collections of real images to train on.")],
    output: Annotated[Path, typer.Option("--output", help="The encoder's folder; its files are replaced.")],
    work: Annotated[Path, typer.Option("--work", help="For small copies of the images, the checkpoint and the log.")],
    phantoms: Annotated[int, typer.Option("--phantoms", metavar="N", min=0, help="How many phantoms to add.")] = 32000,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of the training.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of everything random.")] = None,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="A .tflite feature extractor to imitate (needs ai-edge-litert).")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Train a small encoder like radcbir-mini from scratch. Stopped and run again, it goes on at its last checkpoint.

    Images whose split is val or test, their patients, and a part of the others are kept for validation.
    """
    from dataclasses import replace

    from radcbir_core.encoders.torch_support import resolve_device
    from radcbir_core.mini.making import make_mini, phantoms_to_train_on
    from radcbir_core.mini.training import Recipe

    collections = [open_collection(name) for name in names]
    recipe = Recipe()
    if steps is not None:
        recipe = recipe.shortened(steps)
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    with _bars() as progress:
        if phantoms:
            collections.append(phantoms_to_train_on(phantoms, progress=progress))
        examples = make_mini(
            collections,
            output=output,
            work=work,
            recipe=recipe,
            teacher=teacher,
            device=resolve_device(device),
            progress=progress,
        )
    trained = int((~examples.validation).sum())
    print(f"Next: python -m benchmarks.mini {' '.join(names)} --phantoms phantoms --encoder local-dir:{output}")
    print(f"Trained on {trained} images, validated on {len(examples) - trained}, in {recipe.steps} steps: {output}")


@app.command("fetch-encoder")
def fetch_encoder(
    encoder: Annotated[str, typer.Argument(metavar="ENC", help="biomedclip, hf-hub:OWNER/NAME, …; without ?fit=.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The kit's folder; it must not exist yet.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="PATH", help="A file or folder on this disk with the encoder's published files."
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an older kit of the same encoder.")] = False,  # noqa: FBT002
) -> None:
    """Make a kit of an encoder: one folder with all it needs, to be used on a machine without network.

    It holds safetensors weights, configuration, preprocessing, tokenizer, licence, the SHA-256 of every file, and a
    probe: fixed images and sentences with the embeddings they gave. Loading the kit computes the probe again and
    refuses it where the embeddings differ.
    """
    from radcbir_core.encoders.kits import fetch_kit

    kit = fetch_kit(encoder, to, source=source, replace=replace)
    size = sum((kit.folder / name).stat().st_size for name in kit.files)
    probe = kit.record["probe"]
    text = f"{len(probe['texts'])} sentences" if kit.record["supports_text"] else "no text tower"
    rows = [
        ["weights", kit.record["weights"]],
        ["licence", kit.record["licence"]],
        ["dimension", kit.record["dimension"]],
        ["probe", f"{len(probe['images'])} images, of which {probe['encoded']} are encoded at loading; {text}"],
    ]
    _print_table(["what", "in the kit"], rows, title=kit.title)
    print(f"Next, wherever the folder is: python -m radcbir_core build NAME --encoder {shlex.quote(str(to))}")
    print(f"Made the kit of {kit.encoder_id}: {kit.folder}, {len(kit.files)} files, {size / 1e6:,.1f} MB.")


@app.command()
def query(
    name: Name,
    encoder: EncoderOption = None,
    image: Annotated[Path | None, typer.Option("--image", help="An image file to search with.")] = None,
    image_id: Annotated[str | None, typer.Option("--id", help="An image of the collection to search with.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="A sentence to search with; needs an encoder with a text tower.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COLUMN=VALUE", help="Only such images. Repeat it: or in a column, and across."
        ),
    ] = None,
    exclude: Excluded = None,
    frame: Annotated[int | None, typer.Option(help="Frame of --image, from 0; the middle one by default.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: AsJson = False,  # noqa: FBT002 - a switch on the command line
) -> None:
    """Print the most similar images, or those that fit a sentence. An image of the collection never returns itself."""
    from radcbir_core.retrieval import Retriever, hits_table, text_encoders

    given = [name for name, value in (("--image", image), ("--id", image_id), ("--text", text)) if value is not None]
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "none is given"
        raise QueryError(f"Expected one of --image, --id and --text, but {found}. Give exactly one.")
    collection = open_collection(name)
    if encoder is None and text is not None and len(able := text_encoders(collection)) == 1:
        encoder = able[0]
    retriever = Retriever(collection, _encoder_id_in(collection, encoder))
    options: dict[str, Any] = {"k": k, "where": _where(where or []), "exclude": _split(exclude, default=())}
    measure: Measure = "similarity"
    if text is not None:
        measure = "text_similarity"
        sentence = _embed_sentence(retriever, text, device=device)
        hits = retriever.search_text(sentence, **options)
        for note in sentence.notes:
            _errors.print(Text(f"Note: {note}"))
    elif image is not None:
        embedding, sha256 = _embed_file(retriever, image, frame=frame, device=device)
        hits = retriever.search(embedding, sha256=sha256, **options)
    else:
        hits = retriever.search_rows([collection.manifest.row_of(str(image_id))], **options)
    table = hits_table(collection.manifest, hits, measure=measure)
    if as_json:
        print(json.dumps(table.to_dict("records"), indent=2, ensure_ascii=False))
        return
    rows = [
        [
            hit["rank"],
            f"{hit[measure]:.3f}",
            hit["modality"],
            hit["anatomy"],
            ", ".join(hit["pathologies"]),
            hit["image_id"],
        ]
        for hit in table.to_dict("records")
    ]
    _print_table(["rank", measure.replace("_", " "), "modality", "anatomy", "pathologies", "image_id"], rows)
    print(f"{len(rows)} hits, {hits.method} search.")
    if measure == "text_similarity":
        print(
            "Text similarity is the cosine between the sentence and an image; that of two images is on another scale."
        )


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
    from radcbir_core.evaluation.hitlist import hits_csv

    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=_split(exclude, default=None), divisor=divisor)
    if versus is not None:
        if hits is not None:
            raise EvaluationError(
                f"Expected --versus without --hits, but --hits = {hits}. Write the hits of each encoder by itself."
            )
        _compare(store, versus, chosen, output=output)
        return
    for path in (output, hits):
        _check_folder(path)
    with _bars() as progress:
        take = None if hits is None else partial(hits_csv, collection.manifest, hits)
        evaluation = run(store, chosen, progress=progress, take_hits=take)
    if output is not None:
        _write_csv(output, evaluation.table[list(chosen.columns)])
    shown = [k for k in chosen.ks if chosen.name != PAPER or k in {*KS, 100}]
    means = evaluation.table[(evaluation.table["averaging"] != "label") & evaluation.table["k"].isin(shown)]
    rows = [
        [level, averaging, f"{part['n_queries'].max()}", *(_with_interval(row) for row in part.to_dict("records"))]
        for (level, averaging), part in means.groupby(["level", "averaging"], sort=False)
    ]
    _print_table(
        ["level", "averaging", "queries", *(f"P@{k}" for k in shown)],
        rows,
        title=f"{name} with {store.encoder_id}: {chosen.describe()}",
    )
    for note in evaluation.notes:
        print(note)
    if output is not None:
        print(f"Wrote {len(evaluation.table)} rows to {output}.")
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
    from radcbir_core.evaluation.rank_evaluation import evaluate_ranking as run

    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=_split(exclude, default=None), ks=None if protocol == "paper" else k or KS)
    _check_folder(output)
    with _bars() as progress:
        found = run(
            store, chosen, rule=relevance, ap_divisor=ap_divisor, with_r_precision=r_precision, progress=progress
        )
    if output is not None:
        _write_csv(output, found.table)
    means = found.table[found.table["averaging"] != "label"].copy()
    means["precision"] = means["value"]
    rows = [
        [averaging, metric, f"{part['n_queries'].max()}", *(_with_interval(row) for row in part.to_dict("records"))]
        for (averaging, metric), part in means.dropna(subset="k").groupby(["averaging", "metric"], sort=False)
    ]
    excluded = f"{' and '.join(chosen.exclude)} excluded" if chosen.exclude else "nothing but the query excluded"
    _print_table(
        ["averaging", "metric", "queries", *(f"@{k}" for k in chosen.ks)],
        rows,
        title=f"{name} with {store.encoder_id}: {relevance}; {chosen.name}, {excluded}; mAP divided by {ap_divisor}",
    )
    for row in means[means["k"].isna()].to_dict("records"):
        print(f"R-precision, {row['averaging']}: {_with_interval(row)}")
    for note in found.notes:
        print(note)
    if output is not None:
        print(f"Wrote {len(found.table)} rows to {output}.")


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
    from radcbir_core.evaluation.silhouettes import lay_out
    from radcbir_core.evaluation.space import evaluate_space as run
    from radcbir_core.manifest import LEVELS

    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder))
    for path in (output, silhouettes, matrix):
        _check_folder(path)
    exclude_one = "" if exclude == "none" else exclude
    table, notes = run(store, exclude=exclude_one)
    layout = None
    # Nobody who has labels at other levels only, and asked for no more, is to be told that these are missing.
    if silhouettes or matrix or level not in LEVELS or (table["level"] == level).any():
        with _bars() as progress:
            layout = lay_out(store, level=level, exclude=exclude_one, progress=progress)  # type: ignore[arg-type]  # refused with a message
    if output is not None:
        _write_csv(output, table)
    if layout is not None and matrix is not None:
        _write_csv(matrix, layout.matrix)
    if layout is not None and silhouettes is not None:
        ids = collection.manifest.frame["image_id"].to_numpy(dtype=object)[layout.images["row"].to_numpy()]
        _write_csv(silhouettes, layout.images.assign(row=ids).rename(columns={"row": "image_id"}))
    rows = [
        [row["level"], row["averaging"], row["n_images"], row["n_pairs"]]
        + [_number(row[column]) for column in ("within", "between", "gap", "relative_gap")]
        for row in table[table["averaging"] != "label"].to_dict("records")
    ]
    without = "all pairs" if exclude == "none" else f"pairs of one {exclude} left out"
    _print_table(
        ["level", "averaging", "images", "pairs within", "within", "between", "gap", "relative gap"],
        rows,
        title=f"{name} with {store.encoder_id}: mean cosine, {without}",
    )
    written = [(output, len(table))]
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
    for path, number in written:
        if path is not None:
            print(f"Wrote {number} rows to {path}.")


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
    from radcbir_core.evaluation.index_size import FRACTIONS
    from radcbir_core.evaluation.index_size import evaluate_index_size as run

    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder))
    chosen = Protocol.of(protocol, exclude=_split(exclude, default=None), divisor=divisor)
    _check_folder(output)
    with _bars() as progress:
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
        _write_csv(output, table)
    rows = [
        [averaging, f"{part:g}", round(lines["gallery"].iloc[0])]
        + [f"{mean:.3f} ± {std:.3f}" for mean, std in zip(lines["mean"], lines["std"], strict=True)]
        for (averaging, part), lines in table.groupby(["averaging", "fraction"], sort=False)
    ]
    _print_table(
        ["averaging", "fraction", "gallery", *(f"P@{k}" for k in chosen.ks)],
        sorted(rows, key=lambda row: row[0], reverse=True),
        title=f"{name} with {store.encoder_id}, level {level}: {chosen.describe()}; {draws} draws",
    )
    if chosen.divisor == "k":
        print(
            "A small gallery may hold fewer than k images of a label, which alone lowers P@k; "
            "with --divisor available it does not."
        )
    if output is not None:
        print(f"Wrote {len(table)} rows to {output}.")


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
    from radcbir_core.evaluation.probing import KNN_KS, method_name
    from radcbir_core.evaluation.probing import evaluate_probes as run

    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder))
    _check_folder(output)
    with _bars() as progress:
        found = run(store, level=level, ks=k or KNN_KS, c=c, progress=progress)  # type: ignore[arg-type]  # refused with a message
    if output is not None:
        _write_csv(output, found.table)
    rows = []
    for row in found.table.to_dict("records"):
        scores = [
            _with_interval({"precision": row[score], "low": row[f"{short}_low"], "high": row[f"{short}_high"]})
            for score, short in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced"))
        ]
        means = (f"{row[name]:.3f}" for name in ("macro_f1", "macro_auroc"))
        rows.append([method_name(row["method"], row["k"]), *scores, *means])
    _print_table(
        ["method", "accuracy", "balanced accuracy", "macro F1", "macro AUROC"],
        rows,
        title=f"{name} with {store.encoder_id}, level {level}: learned from {found.n_train} images, asked about "
        f"{found.n_test} of {found.n_labels} labels",
    )
    for note in found.notes:
        print(note)
    if output is not None:
        print(f"Wrote {len(found.table)} rows to {output}.")


def _compare(store: EncoderStore, versus: str, protocol: Any, *, output: Path | None) -> None:
    """What ``evaluate --versus`` prints: B − A at every level and k, and what to make of the labels."""
    from radcbir_core.evaluation.chance import CHANCE
    from radcbir_core.evaluation.comparing import check_sides, compare, label_note, verdict

    collection = store.collection
    other = None if versus == CHANCE else collection.store(_encoder_id_in(collection, versus))
    check_sides(store, other, protocol)
    with _bars() as progress:
        found = compare(store, other, protocol, progress=progress)
    if output is not None:
        _write_csv(output, found.table)
    words = {"A": "A is better", "B": "B is better", "open": "not clear", "none": "one patient only"}
    rows = [
        [
            *(row["level"], row["averaging"], row["k"], f"{row['a']:.3f}", f"{row['b']:.3f}"),
            *(_number(row[name], sign="+") for name in ("difference", "low", "high")),
            words[verdict(row["low"], row["high"])],
        ]
        for row in found.means().to_dict("records")
    ]
    _print_table(
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
    if output is not None:
        print(f"Wrote {len(found.table)} rows to {output}.")


def _number(value: float, *, sign: str = "-") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.3f}"


@app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """List the collections."""
    found: list[dict[str, Any]] = []
    for name in list_collections():
        try:
            collection = open_collection(name)
            found.append(
                {
                    "name": name,
                    "title": collection.title,
                    "images": len(collection),
                    "encoders": collection.encoder_ids(),
                }
            )
        except RadcbirError as error:
            found.append({"name": name, "title": "", "images": None, "encoders": [], "error": str(error)})
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [[f["name"], f.get("error") or f["title"], f["images"] or "", ", ".join(f["encoders"])] for f in found]
    _print_table(["name", "title", "images", "encoders"], rows)
    if not found:
        print("There is no collection yet. Import one: python -m radcbir_core import SOURCE --name NAME")
        print("Or try everything on synthetic images: python -m radcbir_core demo")


@app.command()
def info(name: Name, as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """Tell what a collection holds and how far each encoder's steps are."""
    facts = describe(open_collection(name))
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    print(f"{facts['name']}: {facts['title']}")
    print(
        f"{facts['images']} images in {facts['image_root']}, "
        f"{facts['problems']} problems, {facts['duplicates']} exact duplicates"
    )
    for column in ("modality", "anatomy", "pathology", "dataset", "split"):
        counts = facts["counts"][column]
        if counts:
            _print_table([column, "images"], [[value, number] for value, number in list(counts.items())[:15]])
    for note in facts["notes"]:
        print(f"Note: {note}")
    rows = [[e["encoder_id"], *(e["steps"][step] for step in STEPS)] for e in facts["encoders"]]
    _print_table(["encoder", *STEPS], rows)
    if not rows:
        print(f"No encoder yet. Next: python -m radcbir_core build {name} --encoder pixels")


@app.command()
def encoders(as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """List the known encoders: what each computes, under which licence, and how to bring it in."""
    from radcbir_core.encoders import known_encoders

    entries = known_encoders()
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False))
        return
    for entry in entries:
        text = "images and texts" if entry.supports_text else "images"
        print(f"{entry.encoder_id}: {entry.title}; {text}, {entry.dimension} numbers")
        print(f"  input    {entry.input}")
        print(f"  output   {entry.output}")
        print(f"  weights  {entry.source}; {entry.licence}")
        print(f"  how      {entry.bring_in}")
        print(f"  note     {entry.note}")
        if entry.citation:
            print(f"  cite     {entry.citation}")
    print("Others: open_clip:ARCHITECTURE:TAG, hf-hub:OWNER/NAME, hf:OWNER/NAME, timm:NAME, or a folder.")


@app.command()
def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """Check this installation, and say what to do about each fault; the exit code is 1 if anything failed.

    Looks at Python and the packages, the device, the data folder and its collections, and the encoders and kits; and
    asks phantoms a query by image and by text while every connection is refused. Nothing is changed.
    """
    from radcbir_core.doctor import GRAVITY, examine

    if _errors.is_terminal:
        _errors.print("Checking; this takes some seconds …")
    findings = examine()
    count = {result: sum(finding.result == result for finding in findings) for result in GRAVITY}
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        by_gravity = sorted(findings, key=lambda finding: GRAVITY.index(finding.result))
        rows = [[f.check, f.result, f.found, f.advice] for f in by_gravity]
        _print_table(["check", "result", "what was found", "what to do"], rows)
        print(f"{count['failed']} failed, {count['warning']} warnings, {count['ok']} ok.")
    if count["failed"]:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
) -> None:
    """Remove a collection and all that was computed for it. The source images stay. A terminal is asked first."""
    own = (collections_folder() / name / "images").is_dir() if name in list_collections() else False
    if not yes and sys.stdin.isatty() and name in list_collections():
        images = ", its images too, which are in its own folder" if own else ""
        typer.confirm(f"Remove {name} and everything computed for it{images}?", abort=True)
    remove_collection(name)
    print(f"Removed {name}{', with the images in its folder' if own else '. The source images are untouched'}.")


@app.command()
def rename(
    name: Annotated[str, typer.Argument(metavar="OLD", help="The collection's name.")],
    new_name: Annotated[str | None, typer.Argument(metavar="[NEW]", help="What it is to be called.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What people are to call it.")] = None,
) -> None:
    """Give a collection another name, another title, or both. Everything computed for it comes along."""
    from radcbir_core.changing import rename_collection

    if new_name is None and title is None:
        raise CollectionError(f"Expected a new name or --title for {name}, but there is none. Add one of them.")
    collection = rename_collection(name, new_name or name, title=title)
    print(f"{name} is now called {collection.name}: {collection.title}")


@app.command()
def relocate(
    name: Name,
    image_root: Annotated[Path, typer.Option("--image-root", help="The folder that the manifest's paths start from.")],
) -> None:
    """Tell a collection where its images are now: after they were moved, or after it was opened from an archive."""
    from radcbir_core.changing import images_found, relocate_images

    collection = relocate_images(name, image_root)
    found, looked_for = images_found(collection)
    print(f"The images of {name} are in {collection.image_root}: {found} of {looked_for} looked for are there.")


@app.command()
def export(
    name: Name,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", metavar="FILE", help="The table of images, .csv or .parquet.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option("--embeddings", metavar="FILE", help="Of --encoder: .npy with a .csv beside it, or .parquet."),
    ] = None,
    encoder: EncoderOption = None,
    archive: Annotated[
        Path | None, typer.Option("--zip", metavar="FILE", help="All of it, to be opened on another machine.")
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="Put the image files into the archive too.")] = False,  # noqa: FBT002
) -> None:
    """Write a collection's manifest, embeddings, or all of it into files. A file that is there is replaced."""
    from radcbir_core.archive import write_archive
    from radcbir_core.export import export_embeddings, export_manifest

    if manifest is None and embeddings is None and archive is None:
        raise CollectionError(
            "Expected something to export, but none of --manifest, --embeddings and --zip is given. Add one of them."
        )
    if images and archive is None:
        raise CollectionError("Expected --zip where --images is given, but it is not. Add --zip FILE.")
    collection = open_collection(name)
    store = collection.store(_encoder_id_in(collection, encoder)) if embeddings is not None else None
    written = []
    with _bars() as progress:
        if manifest is not None:
            written.append(export_manifest(collection, manifest, progress=progress))
        if embeddings is not None and store is not None:
            written.append(export_embeddings(store, embeddings, progress=progress))
        if archive is not None:
            written.append(write_archive(collection, archive, images=images, progress=progress))
    for found in written:
        for note in found.notes:
            print(f"Note: {note}")
    root = shlex.quote(str(collection.image_root))
    if manifest is not None and manifest.suffix.lower() == ".csv" and not collection.without_images:
        print(f"Next: python -m radcbir_core import {shlex.quote(str(manifest))} --name NAME --image-root {root}")
    if archive is not None:
        print(f"Next, on the other machine: python -m radcbir_core import {shlex.quote(archive.name)}")
    paths = [path for found in written for path in found.paths]
    sizes = ", ".join(f"{path} ({path.stat().st_size / 1e6:,.1f} MB)" for path in paths)
    print(f"Exported {name}: {sizes}.")


def describe(collection: Collection) -> dict[str, Any]:
    """What ``info --json`` prints."""
    manifest = collection.manifest
    encoders = []
    for encoder_id in collection.encoder_ids():
        store = collection.store(encoder_id)
        kept = ("title", "spec", "dimension", "fingerprint", "supports_text", "device")
        facts = {key: store.record.get(key) for key in kept}
        encoders.append(
            {
                "encoder_id": encoder_id,
                "steps": store.steps(),
                **facts,
                "failed": len(store.record.get("failed_rows", [])),
                "recall_at_10": store.record.get("index", {}).get("recall_at_10"),
            }
        )
    return {
        "name": collection.name,
        "title": collection.title,
        "images": len(collection),
        "problems": len(collection.problems()),
        "duplicates": int((manifest.groups("duplicate") >= 0).sum()),
        "patients": len(manifest.codes("patient_id").values),
        "created": collection.record.get("created"),
        "image_root": str(collection.image_root),
        "manifest_digest": collection.digest,
        "sources": collection.record.get("sources", []),
        "licences": collection.record.get("licences", {}),
        "notes": collection.record.get("notes", []),
        "counts": {
            **{column: manifest.codes(column).counts() for column in ("modality", "anatomy", "dataset", "split")},
            "pathology": manifest.pathology_counts,
        },
        "encoders": encoders,
    }


def _embed_file(retriever: Any, path: Path, *, frame: int | None, device: str) -> tuple[Any, str]:
    from radcbir_core.encoders import load_encoder
    from radcbir_core.images import decode_image
    from radcbir_core.retrieval import check_encoder

    if not path.is_file():
        raise QueryError(f"Expected an image file, but {path} does not exist. Check the path.")
    pixels = decode_image(path, frame=frame).pixels
    encoder = load_encoder(retriever.store.spec, device=device)
    check_encoder(retriever.store, encoder)
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return encoder.encode_images([pixels]), sha256


def _embed_sentence(retriever: Any, text: str, *, device: str) -> Any:
    from radcbir_core.encoders import load_encoder
    from radcbir_core.retrieval import check_text_tower, cleaned_text, embed_text

    check_text_tower(retriever.store)
    cleaned_text(text)  # what is wrong with it is said before the weights are loaded
    return embed_text(retriever.store, load_encoder(retriever.store.spec, device=device), text)


def _encoder_id_in(collection: Collection, encoder: str | None) -> str:
    """The encoder_id that a user means: one the collection has, by its id or by its spec."""
    built = collection.encoder_ids()
    if encoder is None:
        if len(built) == 1:
            return built[0]
        has = (
            f"It has {', '.join(built)}."
            if built
            else f"Run: python -m radcbir_core build {collection.name} --encoder pixels"
        )
        raise EncoderError(f"Expected --encoder, but {collection.name} was built with {len(built)} encoders. {has}")
    if encoder in built:
        return encoder
    from radcbir_core.encoders import encoder_id_of

    return encoder_id_of(encoder)


def _spec_in(collection: Collection, encoder: str) -> str:
    """What loads the encoder: the spec it was built with where ``encoder`` is the id of one the collection has."""
    from radcbir_core.encoders import known_encoders

    if encoder in {entry.encoder_id for entry in known_encoders()} or encoder not in collection.encoder_ids():
        return encoder
    return collection.store(encoder).spec


def _split(words: Sequence[str] | None, *, default: tuple[str, ...] | None) -> Any:
    """``["patient,duplicate", "study"]`` → the single words; "none" stands for nothing at all."""
    if words is None:
        return default
    names = tuple(part.strip() for word in words for part in word.split(",") if part.strip())
    return () if names == ("none",) else names


def _where(conditions: Sequence[str]) -> dict[str, list[str]]:
    """``["modality=CT", "modality=MR"]`` → column → accepted values."""
    where: dict[str, list[str]] = {}
    for condition in conditions:
        column, sign, value = condition.partition("=")
        if not sign:
            raise QueryError(f"Expected COLUMN=VALUE, but --where = {condition!r}. Write, for example, modality=CT.")
        where.setdefault(column.strip(), []).append(value.strip())
    return where


def _check_folder(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise QueryError(f"Expected a folder that exists, but {path.parent} does not. Make it first.")


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    _check_folder(path)
    atomic_bytes(path.absolute(), table.to_csv(index=False).encode())


def _with_interval(row: dict[Any, Any]) -> str:
    if "std" in row:
        return f"{row['precision']:.3f} ± {row['std']:.3f}"
    if math.isnan(row["low"]):
        return f"{row['precision']:.3f}"
    return f"{row['precision']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _print_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on standard output; as wide as it needs to be where that is no terminal, so that nothing is cut."""
    if not rows:
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    table = Table(title=Text(title) if title else None, title_justify="left")
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    for name, right in zip(header, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed:,.0f} images/s")


@contextlib.contextmanager
def _bars() -> Iterator[Any]:
    """Progress bars on standard error: one a step, with its rate and the time left."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Bars(*columns, console=_errors, transient=not _errors.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield progress
