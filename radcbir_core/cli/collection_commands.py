"""``list``, ``info``, ``encoders``, ``doctor``, ``sbom``, ``remove``, ``rename``, ``relocate`` and ``export``."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from radcbir_core.cli.application import EXIT_FAILED, AsJson, EncoderOption, Name, app, complaints
from radcbir_core.cli.arguments import encoder_id_in
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, print_table
from radcbir_core.cli.remedies import advice, program
from radcbir_core.collections.artifacts import ARTIFACT_NAMES, BY_NAME, INDEX, NEIGHBORS
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import read_corrections
from radcbir_core.collections.layout import Layout, collections_folder, list_collections
from radcbir_core.collections.reviews.reviewing import corrections_table, read_reviews
from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.search.backend import Recall
from radcbir_core.wording import counted


@app.command("list")
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """List the collections."""
    collections: list[dict[str, Any]] = []
    for name in list_collections():
        try:
            collection = open_collection(name)
            collections.append(
                {
                    "name": name,
                    "title": collection.title,
                    "images": len(collection),
                    "encoders": collection.encoder_ids(),
                }
            )
        except RadcbirError as error:
            collections.append({"name": name, "title": "", "images": None, "encoders": [], "error": str(error)})
    if as_json:
        print(json.dumps(collections, indent=2, ensure_ascii=False))
        return
    rows = [[f["name"], f.get("error") or f["title"], f["images"] or "", ", ".join(f["encoders"])] for f in collections]
    print_table(["name", "title", "images", "encoders"], rows)
    if not collections:
        print(f"There is no collection yet. Import one: {program()} import SOURCE --name NAME")
        print(f"Or try everything on synthetic images: {program()} demo")


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
            print_table([column, "images"], [[value, number] for value, number in list(counts.items())[:15]])
    for note in facts["notes"]:
        print(f"Note: {note}")
    corrections = facts["corrections"]
    if corrections["cells"]:
        each = ", ".join(f"{column} {count:,}" for column, count in corrections["columns"].items())
        print(
            f"Corrected since the import: {counted(corrections['cells'], 'cell')} of "
            f"{counted(corrections['images'], 'image')} ({each}), "
            f"last at {corrections['last']}; all of them: {corrections['file']}"
        )
    said = facts["reviews"]
    if said["entries"]:
        print(
            f"Said in reviews: {counted(said['entries'], 'tag, note or correction', 'tags, notes and corrections')} on "
            f"{counted(said['subjects'], 'image or pair', 'images and pairs')}, {said['to_apply']:,} with a correction "
            f"to apply; all of them: {program()} reviews {name}"
        )
    steps = [name for name in BY_NAME if any(name in e["steps"] for e in facts["encoders"]) or name in ARTIFACT_NAMES]
    rows = [[e["encoder_id"], *(e["steps"].get(step, "on request") for step in steps)] for e in facts["encoders"]]
    print_table(["encoder", *steps], rows)
    for encoder in facts["encoders"]:
        for artifact, reason in encoder["reasons"].items():
            print(f"{encoder['encoder_id']}, {BY_NAME[artifact].title} {encoder['steps'][artifact]}: {reason}")
    if not rows:
        print(f"No encoder yet. Next: {program()} build {name} --encoder pixels")


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
        command = f". {advice(entry.kit)}" if entry.own_file else ""
        print(f"  how      {entry.bring_in}{command}")
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

    if complaints.is_terminal:
        complaints.print("Checking; this takes some seconds …")
    findings = examine()
    count = {result: sum(finding.result == result for finding in findings) for result in GRAVITY}
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        by_gravity = sorted(findings, key=lambda finding: GRAVITY.index(finding.result))
        rows = [[f.check, f.result, f.found, f"{f.advice} {advice(f.remedy)}".strip()] for f in by_gravity]
        print_table(["check", "result", "what was found", "what to do"], rows)
        print(f"{count['failed']} failed, {count['warning']} warnings, {count['ok']} ok.")
    if count["failed"]:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def sbom() -> None:
    """Print a software bill of materials: every package installed for RadCBIR, its version and licence (CycloneDX)."""
    from radcbir_core.software_bill import software_bill

    print(json.dumps(software_bill(), indent=2, ensure_ascii=False))


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002
) -> None:
    """Remove a collection and all that was computed for it. The source images stay. A terminal is asked first."""
    own = Layout(collections_folder() / name).images.is_dir() if name in list_collections() else False
    if not yes and sys.stdin.isatty() and name in list_collections():
        images = ", its images too, which are in its own folder" if own else ""
        studies = (
            ", its reader studies with their answers"
            if Layout(collections_folder() / name).reader_studies.is_dir()
            else ""
        )
        typer.confirm(f"Remove {name} and everything computed for it{studies}{images}?", abort=True)
    put_on_record("remove", name)
    remove_collection(name)
    print(f"Removed {name}{', with the images in its folder' if own else '. The source images are untouched'}.")


@app.command()
def rename(
    name: Annotated[str, typer.Argument(metavar="OLD", help="The collection's name.")],
    new_name: Annotated[str | None, typer.Argument(metavar="[NEW]", help="What it is to be called.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="What people are to call it.")] = None,
) -> None:
    """Give a collection another name, another title, or both. Everything computed for it comes along."""
    from radcbir_core.collections.changes import rename_collection

    if new_name is None and title is None:
        raise CollectionError(f"Expected a new name or --title for {name}, but there is none. Add one of them.")
    put_on_record("rename", name)
    collection = rename_collection(name, new_name or name, title=title)
    print(f"{name} is now called {collection.name}: {collection.title}")


@app.command()
def relocate(
    name: Name,
    image_root: Annotated[Path, typer.Option("--image-root", help="The folder that the manifest's paths start from.")],
) -> None:
    """Tell a collection where its images are now: after they were moved, or after it was opened from an archive."""
    from radcbir_core.collections.changes import images_found, relocate_images

    put_on_record("relocate", name)
    collection = relocate_images(name, image_root)
    there, looked_for = images_found(collection)
    print(f"The images of {name} are in {collection.image_root}: {there} of {looked_for} looked for are there.")


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
    from radcbir_core.collections.archive import write_archive
    from radcbir_core.collections.export import export_manifest
    from radcbir_core.search.embeddings_export import export_embeddings

    if manifest is None and embeddings is None and archive is None:
        raise CollectionError(
            "Expected something to export, but none of --manifest, --embeddings and --zip is given. Add one of them."
        )
    if images and archive is None:
        raise CollectionError("Expected --zip where --images is given, but it is not. Add --zip FILE.")
    collection = open_collection(name)
    store = collection.store(encoder_id_in(collection, encoder)) if embeddings is not None else None
    what = [word for word, path in (("manifest", manifest), ("embeddings", embeddings), ("zip", archive)) if path]
    put_on_record(f"export {', '.join(what)}", name, lets_out_only=True)
    written = []
    with bars() as progress:
        if manifest is not None:
            written.append(export_manifest(collection, manifest, progress=progress))
        if embeddings is not None and store is not None:
            written.append(export_embeddings(store, embeddings, progress=progress))
        if archive is not None:
            written.append(write_archive(collection, archive, images=images, progress=progress))
    for exported in written:
        for note in exported.notes:
            print(f"Note: {note}")
    root = shlex.quote(str(collection.image_root))
    if manifest is not None and manifest.suffix.lower() == ".csv" and not collection.without_images:
        print(f"Next: {program()} import {shlex.quote(str(manifest))} --name NAME --image-root {root}")
    if archive is not None:
        print(f"Next, on the other machine: {program()} import {shlex.quote(archive.name)}")
    paths = [path for exported in written for path in exported.paths]
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
                "steps": store.states(),
                "reasons": {name: standing.reason for name, standing in store.standings().items() if standing.reason},
                **facts,
                "failed": len(store.record.get("failed_rows", [])),
                **Recall.of_facts(store.facts(INDEX)).facts(),
                "neighbors": store.facts(NEIGHBORS),
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
        "images_digest": collection.digests.images,
        "labels_digest": collection.digests.all_labels,
        "sources": collection.record.get("sources", []),
        "licences": collection.record.get("licences", {}),
        "notes": collection.record.get("notes", []),
        "counts": {
            **{column: manifest.codes(column).counts() for column in ("modality", "anatomy", "dataset", "split")},
            "pathology": manifest.pathology_counts,
        },
        "corrections": _corrections(collection),
        "reviews": _reviews(collection),
        "encoders": encoders,
    }


def _reviews(collection: Collection) -> dict[str, int]:
    """What people said of the images, in numbers."""
    said = read_reviews(collection.folder)
    return {
        "entries": len(said.entries),
        "subjects": len(said.reviews),
        "to_apply": len(corrections_table(collection, said)),
        "damaged_lines": len(said.damaged),
    }


def _corrections(collection: Collection) -> dict[str, Any]:
    """What was corrected since the import, in short."""
    history = read_corrections(collection)
    return {
        "cells": len(history),
        "images": int(history["image_id"].nunique()),
        "columns": {str(name): int(count) for name, count in history["column"].value_counts().items()},
        "last": str(history["when"].iloc[-1]) if len(history) else "",
        "file": str(collection.layout.corrections) if len(history) else "",
    }
