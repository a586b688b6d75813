"""What a whole embedding pass costs beside the bare network on ready tensors, and beside the paper's way, in one run.

Usage: python -m benchmarks.embed [--images 512] [--device cpu] [--rounds 5] [--batch-size N] [--encoder SPEC]
                                  [--collection NAME] [--threads 1]

Without ``--encoder`` the network is the image tower of CLIP ViT-B/16 with random weights: they compute as trained ones
do. Without ``--collection`` the images are phantoms drawn for it; a collection of one's own is only read. Each round
measures, one after the other:

- bare: the network on tensors that are ready on the device, batch by batch, in the precision that the encoder uses;
- least: bare, and what no pass can leave out: each file decoded by Pillow alone and resized once;
- whole: ``radcbir_core.embed``: read, decode, thumbnail, transform, encode, write;
- paper: one torch DataLoader with 6 workers that read, decode and transform, the network in single precision, and one
  HDF5 dataset an image, as in the published code of Denner et al. 2025 (arXiv 2403.06567).

Prints milliseconds of a processor an image, of this process and of those it has started, and images/s by the clock;
medians over the rounds, and their ratios. On a machine where others work too the clock says little, and processor time
what it says is right: torch computes in one thread unless ``--threads`` says otherwise, and threads that wait sleep, so
that no waiting is counted as work. On a GPU the clock is what counts, on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # OpenMP reads it when torch is loaded

import h5py
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks.measuring import say
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import collections_folder
from radcbir_core.embed import embed
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.torch.support import import_open_clip
from radcbir_core.images.decoding import decoding_process
from radcbir_core.synthetic.phantom_collection import make_phantoms

ARCHITECTURE = "ViT-B-16"
WORKERS = 6


def random_vit(folder: Path) -> Path:
    """A folder with CLIP ViT-B/16 as open_clip lays it out, with random weights."""
    open_clip = import_open_clip()
    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE)
    folder.mkdir(parents=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    configuration = {"model_cfg": open_clip.get_model_config(ARCHITECTURE), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    return folder


class Files(torch.utils.data.Dataset):
    """The images of a collection as a DataLoader's worker reads them."""

    def __init__(self, collection: Collection, encoder: Encoder) -> None:
        self.collection, self.prepare = collection, encoder.prepare

    def __len__(self) -> int:
        return len(self.collection)

    def __getitem__(self, row: int) -> tuple[int, np.ndarray]:
        return row, self.prepare(self.collection.read_image(row).pixels)


def synchronize(device: str) -> None:
    """Wait until the device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds_of_processors() -> float:
    """What this process and those that it has started have computed so far."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    tick = os.sysconf("SC_CLK_TCK")
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2].split()
            total += (int(fields[11]) + int(fields[12])) / tick
    return total


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processors, and by the clock."""
    processors, clock = seconds_of_processors(), time.perf_counter()
    work()
    return seconds_of_processors() - processors, time.perf_counter() - clock


def bare(encoder: Encoder, images: int) -> Callable[[], None]:
    """The network alone."""
    shape = encoder.prepare(np.zeros((224, 224), dtype=np.uint8)).shape
    batch = torch.rand((encoder.batch_size, *shape)).to(encoder.device).contiguous(memory_format=torch.channels_last)
    half = encoder.precision.half

    def work() -> None:
        with torch.inference_mode(), torch.autocast(encoder.device.split(":")[0], dtype=torch.float16, enabled=half):
            for start in range(0, images, len(batch)):
                encoder._model.encode_image(batch[: images - start])
            synchronize(encoder.device)

    return work


def decoded(collection: Collection, encoder: Encoder) -> Callable[[], None]:
    """Each file by Pillow alone, resized once; other formats than Pillow's as RadCBIR decodes them."""
    height, width = encoder.preprocessing.size

    def work() -> None:
        for row in range(len(collection)):
            try:
                with Image.open(collection.image_path(row)) as file:
                    file.resize((width, height), Image.Resampling.BILINEAR)
            except OSError:
                Image.fromarray(collection.read_image(row).pixels).resize((width, height), Image.Resampling.BILINEAR)

    return work


def whole(collection: Collection, encoder: Encoder) -> Callable[[], None]:
    """RadCBIR's pass, thumbnails included."""

    def work() -> None:
        with collection.building(encoder.encoder_id):
            embed(collection, encoder)

    return work


def paper(collection: Collection, encoder: Encoder, path: Path) -> Callable[[], None]:
    """A DataLoader with six workers and one HDF5 dataset an image; no thumbnails."""

    def work() -> None:
        loader = torch.utils.data.DataLoader(
            Files(collection, encoder), batch_size=encoder.batch_size, num_workers=WORKERS, shuffle=False
        )
        with h5py.File(path, "w") as file, torch.inference_mode():
            for rows, inputs in loader:
                features = encoder._model.encode_image(inputs.to(encoder.device)).cpu().numpy()
                for row, vector in zip(rows.tolist(), features, strict=True):
                    file.create_dataset(str(row), data=vector)

    return work


def copy_of(name: str | None, folder: Path, *, images: int) -> Collection:
    """Phantoms, or a collection without what was built of it, in a data folder of its own."""
    if name is None:
        os.environ["RADCBIR_DATA"] = str(folder)
        return make_phantoms(name="phantoms", images=images)
    source = open_collection(name).folder
    os.environ["RADCBIR_DATA"] = str(folder)
    left_out = shutil.ignore_patterns("encoders", "thumbnails")
    shutil.copytree(source, collections_folder() / name, ignore=left_out)
    return open_collection(name)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--encoder")
    parser.add_argument("--collection")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        spec = options.encoder or f"local-dir:{random_vit(Path(folder) / 'random-vit')}"
        encoder = load_encoder(spec, device=options.device)
        encoder.batch_size = options.batch_size or encoder.batch_size
        encoder.encode_images([np.zeros((224, 224), dtype=np.uint8)])  # settles the precision
        collection = copy_of(options.collection, Path(folder), images=options.images)
        number = len(collection)
        print(
            f"{encoder.title} on {encoder.device}, {encoder.precision.name}, batches of {encoder.batch_size}, "
            f"{number} images, {os.cpu_count()} CPU cores, {options.threads} threads of torch {torch.__version__}"
        )
        ways = {
            "bare": bare(encoder, number),
            "decoded": decoded(collection, encoder),
            "whole": whole(collection, encoder),
            "paper": paper(collection, encoder, Path(folder) / "paper.h5"),
        }
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for round_ in range(options.rounds + 1):  # the first one warms everything up, and starts what decodes
            for name, work in ways.items():
                shutil.rmtree(collection.thumbnails.folder, ignore_errors=True)
                figure = measured(work)
                if round_:
                    figures[name].append(figure)
            if round_:
                last = {name: values[-1][0] / number * 1000 for name, values in figures.items()}
                print("  ".join(f"{name} {value:.2f} ms" for name, value in last.items()), flush=True)
        decoding_process.end_all()
    cost = {name: statistics.median(one for one, _ in values) / number * 1000 for name, values in figures.items()}
    del cost["paper"]  # what its workers have started is counted by nobody
    speed = {name: number / statistics.median(one for _, one in values) for name, values in figures.items()}
    cost["least"] = cost["bare"] + cost["decoded"]
    for name, value in cost.items():
        clock = f", {speed[name]:.1f} images/s by the clock" if name in speed else ""
        print(f"{name}: {value:.2f} ms of a processor an image, {value / cost['bare']:.2f} times bare{clock}")
    say("embedding pass by the clock, times the bare network", speed["bare"] / speed["whole"], "times", limit=1.2)
    say("embedding pass by the processor, times the bare network", cost["whole"] / cost["bare"], "times")
    say("embedding pass, times network, decoding and one resize", cost["whole"] / cost["least"], "times")
    print(f"paper / whole, by the clock: {speed['whole'] / speed['paper']:.2f} times as quick")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
