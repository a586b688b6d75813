"""Images/s of a whole embedding pass beside a bare loop of the same network, and beside the paper's way, in one run.

Usage: python -m benchmarks.embed [--images 256] [--device cpu] [--rounds 3] [--batch-size N] [--encoder SPEC]

Without ``--encoder`` the network is the image tower of CLIP ViT-B/16 with random weights: they compute as trained ones
do. Each round measures, one after the other:

- bare: the network on tensors that are ready on the device, batch by batch, in the precision that the encoder uses;
- whole: ``radcbir_core.embed``: read, decode, thumbnail, transform, encode, write;
- paper: one torch DataLoader with 6 workers that read, decode and transform, the network in single precision, and one
  HDF5 dataset an image, as in the published code of Denner et al. 2025 (arXiv 2403.06567).

Prints each round's figures, their medians, and the ratios of the medians. The images are phantoms drawn for it.
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
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import save_file

from radcbir_core.collections.collection import Collection
from radcbir_core.embed import embed
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.torch.support import import_open_clip
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


def bare(encoder: Encoder, images: int) -> float:
    """Images/s of the network alone."""
    shape = encoder.prepare(np.zeros((224, 224), dtype=np.uint8)).shape
    batch = torch.rand((encoder.batch_size, *shape)).to(encoder.device).contiguous(memory_format=torch.channels_last)
    half = encoder.precision.half
    with torch.inference_mode(), torch.autocast(encoder.device.split(":")[0], dtype=torch.float16, enabled=half):
        encoder._model.encode_image(batch)  # warm
        synchronize(encoder.device)
        started = time.perf_counter()
        for _ in range(-(-images // len(batch))):
            encoder._model.encode_image(batch)
        synchronize(encoder.device)
    return -(-images // len(batch)) * len(batch) / (time.perf_counter() - started)


def whole(collection: Collection, encoder: Encoder) -> float:
    """Images/s of RadCBIR's pass, thumbnails included."""
    shutil.rmtree(collection.thumbnails.folder, ignore_errors=True)
    started = time.perf_counter()
    with collection.building(encoder.encoder_id):
        embed(collection, encoder)
    return len(collection) / (time.perf_counter() - started)


def paper(collection: Collection, encoder: Encoder, path: Path) -> float:
    """Images/s of a DataLoader with six workers and one HDF5 dataset an image; no thumbnails."""
    started = time.perf_counter()
    loader = torch.utils.data.DataLoader(
        Files(collection, encoder), batch_size=encoder.batch_size, num_workers=WORKERS, shuffle=False
    )
    with h5py.File(path, "w") as file, torch.inference_mode():
        for rows, inputs in loader:
            features = encoder._model.encode_image(inputs.to(encoder.device)).cpu().numpy()
            for row, vector in zip(rows.tolist(), features, strict=True):
                file.create_dataset(str(row), data=vector)
    return len(collection) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--encoder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RADCBIR_DATA"] = folder
        spec = options.encoder or f"local-dir:{random_vit(Path(folder) / 'random-vit')}"
        encoder = load_encoder(spec, device=options.device)
        encoder.batch_size = options.batch_size or encoder.batch_size
        encoder.encode_images([np.zeros((224, 224), dtype=np.uint8)])  # settles the precision
        collection = make_phantoms(name="phantoms", images=options.images)
        print(
            f"{encoder.title} on {encoder.device}, {encoder.precision.name}, batches of "
            f"{encoder.batch_size}, {len(collection)} images, {os.cpu_count()} CPU cores, torch {torch.__version__}"
        )
        figures: dict[str, list[float]] = {"bare": [], "whole": [], "paper": []}
        for _ in range(options.rounds):
            figures["bare"].append(bare(encoder, len(collection)))
            figures["whole"].append(whole(collection, encoder))
            figures["paper"].append(paper(collection, encoder, Path(folder) / "paper.h5"))
            print("  ".join(f"{name} {values[-1]:.2f} images/s" for name, values in figures.items()), flush=True)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    print("median: " + "  ".join(f"{name} {value:.2f} images/s" for name, value in medians.items()))
    print(f"whole / bare: {medians['whole'] / medians['bare']:.3f}")
    print(f"whole / paper: {medians['whole'] / medians['paper']:.3f}")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
