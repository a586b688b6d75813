"""``import``: files of a user, or an archive, become a collection."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radcbir_core.cli.application import app
from radcbir_core.cli.arguments import wanted_of
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, print_table
from radcbir_core.cli.remedies import advice, program
from radcbir_core.collections.records.record import ARCHIVED
from radcbir_core.errors import ManifestError
from radcbir_core.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from radcbir_core.importers import ImportRequest
    from radcbir_core.importers.rows.main_reason import MainReason


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
        typer.Option(
            "--map",
            metavar="COLUMN=SOURCE",
            help="For csv and parquet: pathologies=finding,… Repeat it; names with a comma quoted.",
        ),
    ] = None,
    every: Annotated[int, typer.Option("--every", metavar="N", min=1, help="One of N slices of a volume.")] = 1,
    uncertain: Annotated[
        str, typer.Option("--uncertain", help="Uncertain labels: not-positive (default), positive, or own-label.")
    ] = "",
    suffix: Annotated[
        str, typer.Option("--suffix", help="What names of files in tables lack, such as .png; found out by default.")
    ] = "",
    no_header: Annotated[  # noqa: FBT002
        bool, typer.Option("--no-header", help="A CSV's first line is an image already; columns are called 1, 2, …")
    ] = False,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="PATTERN", help="Images of these paths or names, such as '*_old.png'."),
    ] = None,
    masks: Annotated[  # noqa: FBT002
        bool, typer.Option("--masks", help="Masks beside images (a_mask.png, masks/) are images too.")
    ] = False,
    download: Annotated[
        str,
        typer.Option("--download", metavar="DATASET", help="Fetch a MedMNIST data set, for example pneumoniamnist."),
    ] = "",
    encoder_id: Annotated[
        str, typer.Option("--encoder-id", metavar="ID", help="What made the vectors that are imported.")
    ] = "",
    dicomweb: Annotated[
        str,
        typer.Option("--dicomweb", metavar="URL", help="Import from a DICOMweb server, de-identified on the way."),
    ] = "",
    study: Annotated[
        list[str] | None, typer.Option("--study", metavar="UID", help="With --dicomweb: this study. Repeat it.")
    ] = None,
    series: Annotated[
        list[str] | None, typer.Option("--series", metavar="UID", help="With --dicomweb: this series. Repeat it.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="KEYWORD=VALUE",
            help="With --dicomweb: Modality=CT, StudyDate=20240101-20241231. Repeat it: or in a keyword, and across.",
        ),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add what is new to the collection that has the name.")] = False,  # noqa: FBT002
    take_changes: Annotated[  # noqa: FBT002
        bool, typer.Option("--take-changes", help="With --add: take what a source says otherwise of images known.")
    ] = False,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Look at the first rows and say what would be imported; write nothing.")
    ] = False,
) -> None:
    """Import data sets, tables or folders of images as a new collection. They are checked, and stay where they are."""
    from radcbir_core.images.decoding import decoding_process

    if check == "decode" and not dry_run:
        decoding_process.prepare()  # while the libraries that importing needs are loaded here
    from radcbir_core.collections.archive import is_archive
    from radcbir_core.importers import ImportRequest, import_as
    from radcbir_core.importers.rows.mapping import parse_mapping

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
        suffix=suffix,
        no_header=no_header,
        masks=masks,
        leave_out=tuple(leave_out or ()),
        download=download,
        encoder_id=encoder_id,
        server=dicomweb,
        wanted=wanted_of(study, series, where),
        add=add,
        take_changes=take_changes,
    )
    if dry_run:
        look = _look_at_server if request.server else partial(_look_at, format_name=format_name)
        look(request)
        return
    put_on_record("add to" if add else "import", request.name)
    with bars() as progress:
        report = import_as(request, format_name=format_name, progress=progress)
    if report.changes:
        rows = [[c["column"], c["from"] or "(empty)", c["to"] or "(empty)", c["rows"]] for c in report.changes[:20]]
        print_table(["column", "in the source", "in the manifest", "rows"], rows, title="Words that were changed")
        if len(report.changes) > len(rows):
            print(f"… and {len(report.changes) - len(rows)} more, in {report.collection.folder / 'collection.json'}")
    if report.problems:
        _print_problems(report.collection.problems())
        print(f"Each of them: {report.collection.folder / 'problems.csv'}")
    for note in report.notes:
        print(f"Note: {note}")
    print(f"Next: {program()} build {name} --encoder {encoder_id or 'pixels'}")
    print(
        f"Imported {counted(report.images, 'image')} into {name}; {counted(report.problems, 'problem')}; "
        f"{counted(report.duplicates, 'exact duplicate')} in {counted(report.duplicate_groups, 'group')}"
        f"{_and_why(report.main_reason)}"
    )


def _look_at_server(request: ImportRequest) -> None:
    """What ``import --dry-run`` prints of a server: how many images there are of each modality."""
    from radcbir_core.dicomweb.client import Client
    from radcbir_core.dicomweb.server_address import address_of
    from radcbir_core.importers.datasets.dicom_server import count_instances

    with Client(address_of(request.server)) as client:
        counts = count_instances(client, request.wanted)
    print_table(["modality", "images"], sorted(counts.items()))
    print(f"Nothing was fetched. {counted(sum(counts.values()), 'image')} there.")


def _look_at(request: ImportRequest, *, format_name: str | None) -> None:
    """What ``import --dry-run`` prints: what was recognized, the first rows, counts of labels, changes, problems."""
    from radcbir_core.importers.formats import reason_for
    from radcbir_core.importers.preview import COUNTED, preview

    dry_run = preview(request, format_name=format_name)
    for path, known in zip(request.paths, dry_run.formats, strict=True):
        why = f", recognized by {reason_for(path, known)}" if format_name is None else ""
        print(f"{path}: {known.about} (--format {known.name}{why})")
    columns = [str(name) for name in dry_run.table if any(len(cell) for cell in dry_run.table[name])]
    rows = [
        ["|".join(cell) if isinstance(cell, list) else cell for cell in row] for row in dry_run.table[columns].values
    ]
    print_table(columns, rows, title="The first rows")
    for name in COUNTED:
        counts = list(dry_run.counts[name].items())
        print_table([name, "images"], [[value, count] for value, count in counts[:15]])
        if len(counts) > 15:
            print(f"… and {len(counts) - 15:,} more")
    changed = [[c["column"], c["from"] or "(empty)", c["to"] or "(empty)", c["rows"]] for c in dry_run.changes[:20]]
    print_table(["column", "in the source", "in the manifest", "rows"], changed, title="Words that would be changed")
    _print_problems(dry_run.problems)
    for note in dry_run.notes:
        print(f"Note: {note}")
    if dry_run.refusal is not None:
        raise dry_run.refusal
    whole = (
        counted(dry_run.read, "row")
        if dry_run.complete
        else f"the first {dry_run.read:,} of about {dry_run.about:,} rows"
    )
    print(
        f"Nothing was written. Of {whole}, {dry_run.problem_count - dry_run.files_refused:,} cannot be used; of the "
        f"files, {dry_run.looked_at:,} were looked at, and {dry_run.files_refused:,} of these cannot be used"
        f"{_and_why(dry_run.main_reason)}"
    )


def _print_problems(problems: pd.DataFrame) -> None:
    """The most frequent kinds of problems; of each, the reason of the first."""
    from radcbir_core.importers.rows.main_reason import by_kind

    rows = [dict(zip(problems.columns, row, strict=True)) for row in problems.itertuples(index=False)]
    kinds = sorted(by_kind(rows).values(), key=len, reverse=True)
    print_table(["reason", "rows"], [[kind[0]["reason"], len(kind)] for kind in kinds[:10]], title="Problems")


def _and_why(main: MainReason | None) -> str:
    """The end of the last line: why most rows cannot be used, where most cannot, and what to do."""
    return "." if main is None else f"; {main.told()} {advice(main.remedy)}".rstrip()


def _open_archive(path: Path, name: str | None, *, title: str | None, image_root: Path | None) -> None:
    """What ``import`` does with a collection that export has written."""
    from radcbir_core.collections.archive import open_archive
    from radcbir_core.collections.changes import check_title, rename_collection
    from radcbir_core.pipeline import build_indexes

    title = None if title is None else check_title(title)
    put_on_record("open archive", name or path.stem)
    with bars() as progress:
        collection = open_archive(path, name, image_root=image_root, progress=progress)
        build_indexes(collection, progress=progress)
    if title is not None:
        collection = rename_collection(collection.name, collection.name, title=title)
    built = ", ".join(collection.encoder_ids()) or "no encoder"
    if not collection.record[ARCHIVED].get("images") and image_root is None:
        print(f"Next, for its images: {program()} relocate {collection.name} --image-root FOLDER")
    print(f"Opened {path} as {collection.name}: {counted(len(collection), 'image')}, built with {built}.")
