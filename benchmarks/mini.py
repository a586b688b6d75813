"""What radcbir-mini reaches on images it was never trained on, beside ``pixels`` and its own random weights.

Usage: python -m benchmarks.mini COLLECTION… [--phantoms NAME] [--encoder radcbir-mini] [--output FILE.md]

The collections are those of ``train-mini``; the images are their validation side
(``radcbir_core.synthetic.mini.examples``). ``--phantoms`` names a phantom collection of another seed than the one
trained on; its test patients are the queries. All figures are computed here on plain arrays, apart from RadCBIR's own
evaluation. Exclusions: the image itself, its patient where known, exact copies.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.torch.soundness import FAR
from radcbir_core.encoders.torch.torch_encoder import TorchEncoder
from radcbir_core.synthetic.mini.examples import load_examples
from radcbir_core.synthetic.mini.network import GRAIN, SHARED, export, new_model

SPOKEN = {"XR": "X-ray", "CT": "CT", "MR": "MRI", "US": "ultrasound"}
LEVELS = ("modality", "anatomy", "label")
PHRASINGS = ("{m} of the {a}", "{a} {m}", "a {m} image showing the {a}", "this is a {m} of a {a}", "{m} scan, {a}")
WITH = ("{s} with {p}", "{s} showing {p}", "{p} on {s}", "{s}: {p}", "{p}, {s}")
# Forms and words that the sentences of training do not have.
UNSEEN_PHRASINGS = (
    "can you find {m} pictures where one sees the {a}",
    "{a}, as seen by means of {m}",
    "which {m} exams depict somebody's {a}?",
    "{m} acquisition, body region {a}",
    "looking at the {a} through {m}",
)
UNSEEN_WITH = (
    "{p} was diagnosed from this {s}",
    "{s}, the diagnosis being {p}",
    "is {p} visible? {s}",
    "{s} in a case of {p}",
    "history: {p}. Exam: {s}",
)


@dataclass
class Images:
    """Images that nothing was trained on, and what is known of them."""

    collections: list[Collection]
    where: list[tuple[int, int]]
    modality: np.ndarray
    anatomy: np.ndarray
    pathologies: list[tuple[str, ...]]
    patient: np.ndarray
    sha256: np.ndarray
    split: np.ndarray
    dataset: np.ndarray

    def of(self, encoder: Encoder) -> np.ndarray:
        """(N, D) float32 unit embeddings, by the encoder's own preprocessing of the whole file."""
        parts = []
        for start in range(0, len(self.where), encoder.batch_size):
            pixels = [
                self.collections[c].read_image(row).pixels for c, row in self.where[start : start + encoder.batch_size]
            ]
            parts.append(encoder.encode_images(pixels))
        return np.concatenate(parts)

    def astray(self, encoder: TorchEncoder) -> int:
        """How many of them lead the encoder's batch norms astray."""
        count = 0
        for start in range(0, len(self.where), encoder.batch_size):
            some = self.where[start : start + encoder.batch_size]
            found = encoder.astray([self.collections[c].read_image(row).pixels for c, row in some])
            count += int((found.furthest > FAR).sum())
        return count

    def labels(self, level: str) -> np.ndarray:
        """A label an image, "" where it has none at that level."""
        if level == "modality":
            return self.modality
        kind = np.array([f"{m}/{a}" if m and a else "" for m, a in zip(self.modality, self.anatomy, strict=True)])
        if level == "anatomy":
            return self.anatomy
        return np.array(
            [f"{k}/{p[0]}" if k and len(p) == 1 else "" for k, p in zip(kind, self.pathologies, strict=True)],
            dtype=object,
        )


def images_of(collections: Sequence[Collection], rows: Iterator[tuple[int, int]]) -> Images:
    """The images at (collection, row)."""
    where = list(rows)
    frames = [collection.manifest.frame for collection in collections]

    def column(name: str) -> np.ndarray:
        return np.array([str(frames[c][name].iloc[row] or "") for c, row in where], dtype=object)

    return Images(
        collections=list(collections),
        where=where,
        modality=column("modality"),
        anatomy=column("anatomy"),
        pathologies=[tuple(frames[c]["pathologies"].iloc[row]) for c, row in where],
        patient=column("patient_id"),
        sha256=column("sha256"),
        split=column("split"),
        dataset=column("dataset"),
    )


def validation(collections: Sequence[Collection], cache: Path) -> Images:
    """The images that ``train-mini`` never trains on."""
    examples = load_examples(collections, cache=cache)
    place = {
        (collection.name, image_id): (number, row)
        for number, collection in enumerate(collections)
        for row, image_id in enumerate(collection.manifest.column("image_id"))
    }
    chosen = (
        place[examples.sources[i].split("/")[0], examples.image_ids[i]] for i in np.flatnonzero(examples.validation)
    )
    return images_of(collections, chosen)


def precision_at_1(
    images: Images, embeddings: np.ndarray, level: str, *, queries: np.ndarray | None = None, apart: bool = False
) -> dict:
    """Micro and macro P@1: the nearest other image with a label, of another patient, has the same label.

    Asked are the queries for which there is an image with their label to find. With ``apart``, hits of the query's data
    set do not count either.
    """
    labels = images.labels(level)
    known = labels != ""
    asked = known if queries is None else known & queries
    hits: dict[str, list[bool]] = {}
    for query in np.flatnonzero(asked):
        allowed = known.copy()
        allowed[query] = False
        if images.patient[query]:
            allowed &= images.patient != images.patient[query]
        allowed &= images.sha256 != images.sha256[query]
        if apart:
            allowed &= images.dataset != images.dataset[query]
        if not (allowed & (labels == labels[query])).any():
            continue
        similarities = np.where(allowed, embeddings @ embeddings[query], -2)
        hits.setdefault(str(labels[query]), []).append(bool(labels[similarities.argmax()] == labels[query]))
    every = [hit for found in hits.values() for hit in found]
    return {
        "micro": float(np.mean(every)),
        "macro": float(np.mean([np.mean(found) for found in hits.values()])),
        "queries": len(every),
        "labels": len(hits),
    }


def text_precision(
    encoder: Encoder,
    embeddings: np.ndarray,
    texts: Sequence[str],
    relevant: np.ndarray,
    gallery: np.ndarray,
    *,
    k: int = 10,
) -> float:
    """Mean over texts of the share of relevant images among the first k of the gallery."""
    words = encoder.encode_texts(list(texts))
    similarities = np.where(gallery[None, :], words @ embeddings.T, -2)
    best = np.argsort(-similarities, axis=1)[:, :k]
    return float(relevant[best].mean())


def text_figures(
    encoder: Encoder,
    images: Images,
    embeddings: np.ndarray,
    *,
    least: int,
    phrasings: Sequence[str] = PHRASINGS,
    forms: Sequence[str] = WITH,
) -> list[tuple[str, float, float, int]]:
    """(what, P@10 over five phrasings, prevalence, images) for each kind (prevalence 0) and each pathology in it."""
    kinds = np.array([f"{m}/{a}" for m, a in zip(images.modality, images.anatomy, strict=True)])
    everything = np.ones(len(kinds), dtype=bool)
    labeled = np.array([bool(p) for p in images.pathologies])
    found = []
    for kind in sorted(set(kinds)):
        modality, anatomy = kind.split("/")
        of_kind = kinds == kind
        if modality not in SPOKEN or not anatomy or of_kind.sum() < 10:
            continue
        subjects = [phrase.format(m=SPOKEN[modality], a=anatomy) for phrase in phrasings]
        found.append(
            (kind, text_precision(encoder, embeddings, subjects, of_kind, everything), 0.0, int(of_kind.sum()))
        )
        for pathology in sorted({p for i in np.flatnonzero(of_kind) for p in images.pathologies[i]}):
            shows = of_kind & np.array([pathology in p for p in images.pathologies])
            if shows.sum() < least:
                continue
            subject = PHRASINGS[0].format(m=SPOKEN[modality], a=anatomy)
            texts = [form.format(s=subject, p=pathology) for form in forms]
            prevalence = float(shows[of_kind & labeled].mean())
            precision = text_precision(encoder, embeddings, texts, shows, labeled)
            found.append((f"{kind}/{pathology}", precision, prevalence, int(shows.sum())))
    return found


def parted(rows: Sequence[tuple[str, float, float, int]]) -> tuple[list, list]:
    """The rows of kinds and those of pathologies."""
    return [row for row in rows if not row[2]], [row for row in rows if row[2]]


def random_twin() -> Encoder:
    """The same network as it is before training."""
    import torch

    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp()) / "random"
    folder.mkdir()
    export(new_model().state_dict(), folder, documents={})
    return load_encoder(f"local-dir:{folder}")


def speeds(encoder: Encoder) -> tuple[float, float]:
    """(images a second of the image tower on ready inputs, milliseconds of a text query), medians."""
    batch = np.random.default_rng(0).normal(size=(128, 3, *encoder.preprocessing.size)).astype(np.float32)
    encoder.encode_prepared(batch)
    image_times, text_times = [], []
    for number in range(15):
        start = time.perf_counter()
        encoder.encode_prepared(batch)
        image_times.append(time.perf_counter() - start)
        start = time.perf_counter()
        encoder.encode_texts([f"CT of the head with hemorrhage, slice {number}"])
        text_times.append(time.perf_counter() - start)
    return len(batch) / statistics.median(image_times), 1000 * statistics.median(text_times[1:])


def report(encoder: str, real: Images | None, phantoms: Images | None) -> list[str]:
    """The figures as lines of Markdown."""
    mini = load_encoder(encoder)
    contenders = {mini.encoder_id: mini, "pixels": load_encoder("pixels"), "random weights": random_twin()}
    lines = []
    for name, images in (("real", real), ("phantoms", phantoms)):
        if images is None:
            continue
        queries = images.split == "test" if name == "phantoms" else None
        embeddings = {who: images.of(contender) for who, contender in contenders.items()}
        lines += [
            f"\n**{name.capitalize()} images, image to image**, P@1, the patient excluded where known, "
            f"what has nothing to find left out ({len(images.where)} images)\n",
            f"| level | queries | {' | '.join(f'{who} micro / macro' for who in contenders)} |",
            f"|---|---|{'---|' * len(contenders)}",
        ]
        for level in LEVELS:
            found = {
                who: precision_at_1(images, vectors, level, queries=queries) for who, vectors in embeddings.items()
            }
            first = found[mini.encoder_id]
            cells = " | ".join(f"{f['micro']:.3f} / {f['macro']:.3f}" for f in found.values())
            lines.append(f"| {level} ({first['labels']}) | {first['queries']} | {cells} |")
        if name == "real":
            found = {
                who: precision_at_1(images, vectors, "label", queries=queries, apart=True)
                for who, vectors in embeddings.items()
            }
            first = found[mini.encoder_id]
            cells = " | ".join(f"{f['micro']:.3f} / {f['macro']:.3f}" for f in found.values())
            lines.append(f"| label, hits of other data sets only ({first['labels']}) | {first['queries']} | {cells} |")
        if mini.dimension == SHARED + GRAIN:
            shared = embeddings[mini.encoder_id][:, :SHARED]
            shared = shared / np.linalg.norm(shared, axis=1, keepdims=True)
            alone = {level: precision_at_1(images, shared, level, queries=queries) for level in LEVELS}
            cells = ", ".join(f"{level} {f['micro']:.3f} / {f['macro']:.3f}" for level, f in alone.items())
            lines.append(f"\nBy the {SHARED} dimensions shared with sentences alone: {cells}.")
        if isinstance(mini, TorchEncoder):
            lines.append(f"\nBatch norms go astray on {images.astray(mini)} of {len(images.where)} images.")
        lines += [
            f"\n**{name.capitalize()} images, text to image**, P@10 over five phrasings\n",
            f"| text asks for | images | prevalence in its anatomy | {mini.encoder_id} | random weights |",
            "|---|---|---|---|---|",
        ]
        shown = images
        if queries is not None:
            keep = np.flatnonzero(queries)
            shown = Images(
                images.collections, [images.where[i] for i in keep], images.modality[keep], images.anatomy[keep],
                [images.pathologies[i] for i in keep], images.patient[keep], images.sha256[keep], images.split[keep],
                images.dataset[keep],
            )  # fmt: skip
            embeddings = {who: vectors[keep] for who, vectors in embeddings.items()}
        least = 20 if name == "real" else 5
        texts = {
            who: text_figures(contenders[who], shown, embeddings[who], least=least)
            for who in (mini.encoder_id, "random weights")
        }
        for (what, precision, prevalence, count), other in zip(*texts.values(), strict=True):
            share = f"{prevalence:.3f}" if prevalence else ""
            lines.append(f"| {what} | {count} | {share} | {precision:.2f} | {other[1]:.2f} |")
        unseen = text_figures(
            mini, shown, embeddings[mini.encoder_id], least=least, phrasings=UNSEEN_PHRASINGS, forms=UNSEEN_WITH
        )
        kinds, findings = parted(texts[mini.encoder_id])
        unseen_kinds, unseen_findings = parted(unseen)
        wanted = [min(3 * row[2], 0.9) for row in findings]
        lines.append(
            f"\nMean over {len(kinds)} kinds: {np.mean([row[1] for row in kinds]):.3f}; "
            f"over {len(findings)} pathologies: {np.mean([row[1] for row in findings]):.3f} "
            f"(three times the prevalence, at most 0.9, would be {np.mean(wanted):.3f}). "
            "In five wordings that training does not have: "
            f"{np.mean([row[1] for row in unseen_kinds]):.3f} and {np.mean([row[1] for row in unseen_findings]):.3f}."
        )
    images_a_second, milliseconds = speeds(mini)
    lines.append(f"\nImage tower {images_a_second:.0f} images/s, text query {milliseconds:.1f} ms ({mini.device}).")
    return lines


def main() -> None:
    """Parse, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*")
    parser.add_argument("--phantoms")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "radcbir-mini-cache")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    real = validation([open_collection(name) for name in asked.collections], asked.cache) if asked.collections else None
    phantoms = None
    if asked.phantoms:
        collection = open_collection(asked.phantoms)
        phantoms = images_of([collection], ((0, row) for row in range(len(collection))))
    lines = report(asked.encoder, real, phantoms)
    print("\n".join(lines))
    if asked.output:
        asked.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
