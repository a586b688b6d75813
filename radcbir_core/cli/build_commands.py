"""``build``, ``demo``, ``synthesize``, ``train-mini``, ``fetch-encoder``: what is made from a collection, or for it."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer

from radcbir_core.cli.application import Name, app
from radcbir_core.cli.arguments import spec_in
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, print_table
from radcbir_core.cli.remedies import program
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import IMPORTED
from radcbir_core.collections.layout import data_folder
from radcbir_core.installation import IN_REPOSITORY
from radcbir_core.wording import counted


@app.command()
def build(
    name: Name,
    encoder: Annotated[str, typer.Option("--encoder", metavar="ENC", help="pixels, biomedclip, local-dir:PATH, …")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding threads; one a CPU core by default.")] = None,
    tiles: Annotated[
        bool | None,
        typer.Option("--tiles/--no-tiles", help="Embed regions of each image, too, to find them; or delete them."),
    ] = None,
) -> None:
    """Embed, index, find neighbors, evaluate and project. Stopped and run again, it goes on where it stopped."""
    from radcbir_core.encoders import load_encoder
    from radcbir_core.pipeline import build_collection, build_imported
    from radcbir_core.tiling import check_tiles, delete_tiles

    collection = open_collection(name)
    put_on_record(f"build {encoder}", name)
    imported = encoder.removeprefix(IMPORTED)
    if imported in collection.encoder_ids() and collection.store(imported).imported:
        encoder_id = imported
        if tiles:
            check_tiles(collection.store(imported))
        with bars() as progress:
            report = build_imported(collection, encoder_id, progress=progress)
    else:
        loaded = load_encoder(spec_in(collection, encoder), device=device)
        encoder_id = loaded.encoder_id
        if loaded.preprocessing.assumed:
            print(
                f"Its checkpoint does not say of the preprocessing: {', '.join(loaded.preprocessing.assumed)}. "
                "The defaults of its library were taken."
            )
        if tiles is False and encoder_id in collection.encoder_ids() and delete_tiles(collection, encoder_id):
            print(f"Deleted the regions of {name} with {encoder_id}.")
        with bars() as progress:
            report = build_collection(collection, loaded, tiles=bool(tiles), workers=workers, progress=progress)
    steps = [artifact.name for artifact in collection.store(encoder_id).expected]
    rows = [[s, f"{report.seconds[s]:.1f} s" if s in report.seconds else "was current"] for s in steps]
    print_table(["step", "time"], rows, title=f"{name} with {encoder_id}")
    if not math.isnan(report.recall.at_10):
        print(f"Beside exact search there is an index {report.recall.said()}.")
    if report.failed:
        print(f"Could not be embedded: {report.failed}, listed in {collection.folder / 'problems.csv'}")
    print(f"Built {name} with {encoder_id}: {counted(report.images, 'image')}, {report.failed:,} failed.")


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
    from radcbir_core.jobs import run_here
    from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
    from radcbir_core.synthetic.demonstration import ENCODER, STAGES

    put_on_record("make demonstration", name)
    with bars() as progress:
        report = run_here(MakeDemonstration(name, phantoms), progress=progress)
    made = [[stage, f"{report.seconds[stage]:.1f} s"] for stage in STAGES if stage in report.seconds]
    print_table(["step", "time"], made, title=f"{name} with {ENCODER}")
    print(f"Next: {'streamlit run app.py' if IN_REPOSITORY else f'{program()} serve'}")
    print(f'Or:   {program()} query {name} --text "chest radiograph with pleural effusion"')
    done = "Made" if made else "Everything was there already:"
    print(f"{done} {name} with {ENCODER}: {counted(report.images, 'image')}.")


@app.command()
def synthesize(
    name: Name,
    rows: Annotated[int, typer.Option("--rows", metavar="N", help="How many images it stands for.")],
    dimension: Annotated[int, typer.Option("--dimension", metavar="D", help="Of the vectors.")] = 512,
    labels: Annotated[int, typer.Option("--labels", metavar="L", help="How many labels there are.")] = 161,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")] = 0,
    title: Annotated[str | None, typer.Option("--title", help="What people are to call it.")] = None,
) -> None:
    """Draw a collection of labels, patients and vectors without images, to try how large a collection runs here.

    The vectors lie as an encoder's do: P@1 is about .6 for labels and .98 for anatomies, the patient left out, at any
    size. The same numbers and seed give the same collection. Stopped, it leaves nothing behind.
    """
    from radcbir_core.collections.inventory import sizes_of
    from radcbir_core.synthetic.embedding_collection import ENCODER_ID, make_synthetic, refuse_too_large
    from radcbir_core.synthetic.embedding_plan import EmbeddingPlan

    put_on_record("synthesize", name)
    # A plan is in memory as a whole.
    refuse_too_large(name, rows, dimension=dimension)
    plan = EmbeddingPlan.of(rows, dimension=dimension, labels=labels, seed=seed)
    with bars() as progress:
        collection = make_synthetic(name, plan, title=title, progress=progress)
    print(f"Next: {program()} build {name} --encoder {ENCODER_ID}")
    print(
        f"Made {name}: {counted(rows, 'row')} of {counted(plan.patients, 'patient')} with {dimension} numbers each, "
        f"{sizes_of(collection.folder).total / 1e6:,.1f} MB in {collection.folder}."
    )


@app.command("train-mini")
def train_mini(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Collections of real images to train on.")],
    output: Annotated[Path, typer.Option("--output", help="The encoder's folder; its files are replaced.")],
    work: Annotated[Path, typer.Option("--work", help="For small copies of the images, the checkpoint and the log.")],
    phantoms: Annotated[int, typer.Option("--phantoms", metavar="N", min=0, help="How many phantoms to add.")] = 32000,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of the training.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of everything random.")] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", metavar="N", min=0, help="How many pictures of nothing to add.")
    ] = 24000,
    teacher: Annotated[
        list[Path] | None,
        typer.Option("--teacher", help="A .tflite (needs ai-edge-litert) or .pth network to imitate; may come again."),
    ] = None,
    prepare_only: Annotated[  # noqa: FBT002
        bool, typer.Option("--prepare-only", help="Draw, read and let the teachers see; train another time.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Train a small encoder like radcbir-mini from scratch. Stopped and run again, it goes on at its last checkpoint.

    What is drawn, and what the teachers see, is kept under WORK and made once. Images whose split is val or test, their
    patients, and a part of the others are kept for validation.
    """
    from dataclasses import replace

    from radcbir_core.encoders.torch.support import resolve_device
    from radcbir_core.synthetic.mini.making import make_mini, phantoms_to_train_on, prepare_mini
    from radcbir_core.synthetic.mini.training import Recipe

    collections = [open_collection(name) for name in names]
    recipe = Recipe()
    if steps is not None:
        recipe = recipe.scaled(steps)
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    put_on_record("train encoder", str(output))
    with bars() as progress:
        if phantoms:
            collections.append(phantoms_to_train_on(phantoms, progress=progress))
        prepared = prepare_mini(collections, work=work, teachers=teacher or [], pictures=pictures, progress=progress)
        if not prepare_only:
            make_mini(
                prepared, output=output, work=work, recipe=recipe, device=resolve_device(device), progress=progress
            )
    examples = prepared.examples
    trained = int((~examples.validation).sum())
    if prepare_only:
        print(f"Next: the same without --prepare-only. {len(prepared.views):,} views of {trained:,} images in {work}")
        return
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
    from radcbir_core.encoders.kits.fetching import fetch_kit

    if to.absolute().is_relative_to(data_folder().absolute()):
        put_on_record(f"fetch encoder {encoder}", to.name)
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
    print_table(["what", "in the kit"], rows, title=kit.title)
    print(f"Next, wherever the folder is: {program()} build NAME --encoder {shlex.quote(str(to))}")
    print(f"Made the kit of {kit.encoder_id}: {kit.folder}, {counted(len(kit.files), 'file')}, {size / 1e6:,.1f} MB.")
