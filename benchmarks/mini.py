"""What radcbir-mini reaches on images it was never trained on, beside ``pixels``, random weights and its teachers.

Usage: python -m benchmarks.mini [COLLECTION…] [--phantoms NAME] [--elsewhere NAME…] [--teacher FILE…]
    [--encoder radcbir-mini] [--output FILE.md]

The collections are those of ``train-mini``; the images are their validation side
(``radcbir_core.synthetic.mini.examples``). ``--phantoms`` names a phantom collection of another seed than the one
trained on; its test patients are the queries. ``--elsewhere`` names collections of sources that nothing was trained on,
which are searched together. Teachers are the files that ``train-mini`` takes. All figures are computed on plain arrays,
apart from RadCBIR's own evaluation; see ``benchmarks/mini_measure.py``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.mini_measure import (
    LEVELS,
    Embed,
    Images,
    Precision,
    by_encoder,
    by_teacher,
    images_of,
    precision,
    validation,
    whole,
)
from radcbir_core.arrays import of_norm_one
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.encoders.torch.torch_encoder import TorchEncoder
from radcbir_core.synthetic.mini.network import APPEARANCE, SHARED, export, new_model

SPOKEN = {"XR": "X-ray", "CT": "CT", "MR": "MRI", "US": "ultrasound"}
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


def image_table(images: Images, embeddings: dict[str, np.ndarray], queries: np.ndarray | None) -> list[str]:
    """P@1 and P@10 of each level and contender, with intervals, as lines of Markdown."""
    patients = len(np.unique(images.patients if queries is None else images.patients[queries]))
    named = sum(map(bool, images.patient))
    lines = [
        f"{len(images):,} images; of {named:,} the patient is known, of the others each counts as one: "
        f"{patients:,} patients ask.\n",
        f"| level | queries | {' | '.join(embeddings)} |",
        f"|---|---|{'---|' * len(embeddings)}",
    ]
    rows: list[tuple[str, bool, str, int]] = [(level, False, f"{level} P@1", 1) for level in LEVELS]
    rows += [("label", False, "label P@10", 10), ("label", False, "label P@1, macro", 0)]
    if len(set(images.dataset)) > 1:
        rows.append(("label", True, "label P@1, hits of other data sets only", 1))
    found: dict[tuple[str, bool, str], Precision] = {}
    for level, apart, name, k in rows:
        for who, vectors in embeddings.items():
            if (level, apart, who) not in found:
                found[level, apart, who] = precision(images, vectors, level, queries=queries, apart=apart)
        of = [found[level, apart, who] for who in embeddings]
        if not len(of[0].at_1):
            continue
        cells = [f"{one.macro():.3f}" if k == 0 else one.said(k) for one in of]
        lines.append(f"| {name} ({len(np.unique(of[0].labels))}) | {len(of[0].at_1)} | {' | '.join(cells)} |")
    return lines


def text_table(
    mini: Encoder, twin: Encoder, shown: Images, embeddings: dict[str, np.ndarray], *, least: int
) -> list[str]:
    """P@10 of sentences for each kind and pathology, as lines of Markdown."""
    names = list(embeddings)
    lines = [
        f"| text asks for | images | prevalence in its anatomy | {names[0]} | {names[1]} |",
        "|---|---|---|---|---|",
    ]
    texts = [
        text_figures(encoder, shown, embeddings[who], least=least)
        for encoder, who in zip((mini, twin), names, strict=True)
    ]
    for (what, found, prevalence, count), other in zip(*texts, strict=True):
        share = f"{prevalence:.3f}" if prevalence else ""
        lines.append(f"| {what} | {count} | {share} | {found:.2f} | {other[1]:.2f} |")
    unseen = text_figures(mini, shown, embeddings[names[0]], least=least, phrasings=UNSEEN_PHRASINGS, forms=UNSEEN_WITH)
    kinds, findings = parted(texts[0])
    unseen_kinds, unseen_findings = parted(unseen)
    wanted = [min(3 * row[2], 0.9) for row in findings]
    lines.append(
        f"\nMean over {len(kinds)} kinds: {np.mean([row[1] for row in kinds]):.3f}; "
        f"over {len(findings)} pathologies: {np.mean([row[1] for row in findings]):.3f} "
        f"(three times the prevalence, at most 0.9, would be {np.mean(wanted):.3f}). "
        "In five wordings that training does not have: "
        f"{np.mean([row[1] for row in unseen_kinds]):.3f} and {np.mean([row[1] for row in unseen_findings]):.3f}."
    )
    return lines


def report(asked: argparse.Namespace) -> list[str]:
    """The figures as lines of Markdown."""
    mini, twin = load_encoder(asked.encoder), random_twin()
    contenders: dict[str, Embed] = {
        mini.encoder_id: lambda images: images.of(mini),
        "random weights": lambda images: images.of(twin),
        "pixels": by_encoder("pixels"),
        **{path.stem.split("_")[0]: by_teacher(path) for path in asked.teacher},
    }
    groups: list[tuple[str, Images, bool]] = []
    if asked.elsewhere:
        groups.append(("Sources that nothing was trained on", whole(asked.elsewhere), False))
    if asked.collections:
        real = validation([open_collection(name) for name in asked.collections], asked.cache)
        groups.append(("Real images of the validation side", real, True))
    if asked.phantoms:
        collection = open_collection(asked.phantoms)
        groups.append(("Phantoms", images_of([collection], ((0, row) for row in range(len(collection)))), True))
    lines = []
    for title, images, spoken in groups:
        drawn = title == "Phantoms"
        queries = images.split == "test" if drawn else None
        embeddings = {who: embed(images) for who, embed in contenders.items()}
        if mini.dimension == SHARED + APPEARANCE:
            mine = embeddings[mini.encoder_id]
            for name, part in (("shared with sentences", mine[:, :SHARED]), ("appearance", mine[:, SHARED:])):
                embeddings[f"its {name} alone"] = of_norm_one(part)
        lines += [f"\n**{title}, image to image**\n", *image_table(images, embeddings, queries)]
        if isinstance(mini, TorchEncoder):
            lines.append(f"\nBatch norms go astray on {images.astray(mini)} of {len(images)} images.")
        if spoken:
            shown = images if queries is None else images.chosen(queries)
            of = {who: embeddings[who] for who in (mini.encoder_id, "random weights")}
            if queries is not None:
                of = {who: vectors[queries] for who, vectors in of.items()}
            lines += [
                f"\n**{title}, text to image**, P@10 over five phrasings\n",
                *text_table(mini, twin, shown, of, least=5 if drawn else 20),
            ]
    images_a_second, milliseconds = speeds(mini)
    lines.append(f"\nImage tower {images_a_second:.0f} images/s, text query {milliseconds:.1f} ms ({mini.device}).")
    return lines


def main() -> None:
    """Parse, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="*")
    parser.add_argument("--phantoms")
    parser.add_argument("--elsewhere", nargs="+", default=[])
    parser.add_argument("--teacher", nargs="+", type=Path, default=[])
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "radcbir-mini-cache")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    lines = report(asked)
    print("\n".join(lines))
    if asked.output:
        asked.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
