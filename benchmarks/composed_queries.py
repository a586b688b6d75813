"""Composed queries on phantoms: an image of one finding and the words of another → images that show the other.

Usage: python -m benchmarks.composed_queries CHOOSING MEASURING [--encoder radcbir-mini] [--exclude patient]
                                             [--real COLLECTION]

Two phantom collections of different seeds, built with an encoder that reads text. A query is an image with a finding p
and the words of another finding q of the same modality and anatomy ("with hemorrhage", and nothing else). Relevant are
the images of that modality and anatomy that show q; the image itself and its patient are excluded; queries to which
nothing is relevant are left out. All pairs of an image that is not normal, or is, with each other finding are asked.
P@10 and its 95 % interval over patients, micro over queries.

How the two are put together is compared: unit vectors summed as they are; each centered by the mean of its modality in
the collection (images: of the gallery; sentences: of those of its labels); and each divided by the spread of its
similarities over the gallery; the product centers words alone and divides both. Of each, the weight of the words that
is best on CHOOSING is used on MEASURING. Then negation (the image's own finding taken away as words), and relevance
feedback: of the first 10 hits of the image, those that are relevant are marked as like this and the others as not like
that, and the hits of Rocchio's query are counted without what was marked, beside what the unchanged query has without
these.

``--real`` asks the same of a collection with labels that is no phantom's, with the weights chosen on CHOOSING.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import clusters_of
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.search.backend import unit_vectors
from radcbir_core.search.opening import vectors_of
from radcbir_core.search.queries.composed import middle_of_sentences
from radcbir_core.search.queries.composition import CLASSIC, Composition, Step
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.retriever import Retriever

K = 10
WEIGHTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
PRODUCT = "words centered, over spread"
"""What composed.py does."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Gallery:
    """A collection, its vectors, and all that is asked of it.

    Attributes:
        name: Of the collection.
        vectors: (N, D) unit norm.
        place: (N,) codes of modality and anatomy.
        shows: (N, P) bool; which findings each image shows.
        findings: (P,) their names.
        patient: (N,) codes; no two images without a patient share one.
        rows: (Q,) the image of each query.
        wanted: (Q,) the finding that is asked for.
    """

    name: str
    vectors: Floats
    place: npt.NDArray[np.int64]
    shows: npt.NDArray[np.bool_]
    findings: list[str]
    patient: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    wanted: npt.NDArray[np.int64]

    @classmethod
    def of(cls, name: str, encoder_id: str) -> Gallery:
        """All images with an embedding, and all pairs of one with another finding of its modality and anatomy."""
        store = open_collection(name).store(encoder_id)
        frame = store.collection.manifest.frame
        vectors = unit_vectors(vectors_of(store), np.arange(len(frame)))
        places = (frame["modality"].astype(str) + " " + frame["anatomy"].astype(str)).to_numpy()
        place = np.unique(places, return_inverse=True)[1]
        found = [set(one) for one in frame["pathologies"]]
        findings = sorted(set().union(*found) - {"normal"})
        shows = np.array([[finding in one for finding in findings] for one in found], dtype=bool)
        patient = np.asarray(clusters_of(store), dtype=np.int64)
        known = np.array([bool(one) for one in found]) & store.valid
        pairs = []
        for row in np.flatnonzero(known).tolist():
            there = known & (place == place[row]) & (patient != patient[row])
            for wanted in np.flatnonzero(shows[there].any(axis=0) & ~shows[row]).tolist():
                pairs.append((row, wanted))
        rows, wanted = np.array(pairs, dtype=np.int64).T
        return cls(name, vectors, place, shows, findings, patient, rows, wanted)

    def relevant(self, queries: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(q, N); which images are relevant to some of the queries."""
        return (self.place == self.place[self.rows[queries]][:, None]) & self.shows[:, self.wanted[queries]].T

    def excluded(self, queries: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(q, N); which images they may not return."""
        return self.patient == self.patient[self.rows[queries]][:, None]

    def blocks(self) -> Iterator[npt.NDArray[np.int64]]:
        """The queries, some hundred at a time."""
        yield from np.array_split(np.arange(len(self.rows)), max(1, len(self.rows) // 500))

    def precision(self, sums: Callable[[npt.NDArray[np.int64]], Floats]) -> npt.NDArray[np.float64]:
        """(Q,) P@10 of the sums of similarities (q, N) that are made for some of the queries at once."""
        values = [hits_that_count(sums(part), self.relevant(part), self.excluded(part)) for part in self.blocks()]
        return np.concatenate(values)

    def said(self, values: npt.NDArray[np.float64]) -> str:
        """A mean with its interval over patients."""
        return said(values, self.patient[self.rows])


def hits_that_count(
    similarities: Floats, relevant: npt.NDArray[np.bool_], excluded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """(q,) the share of the first 10 that is relevant."""
    first = np.argpartition(np.where(excluded, np.inf, -similarities), K - 1, axis=1)[:, :K]
    shares: npt.NDArray[np.float64] = np.take_along_axis(relevant & ~excluded, first, axis=1).mean(axis=1)
    return shares


def said(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], *, least: float = 0.0) -> str:
    """A mean with its interval."""
    bounds = mean_intervals(
        values[:, None], np.zeros(len(values), dtype=int), clusters=clusters, n_labels=1, limits=(least, 1.0)
    ).micro[0]
    return f"{values.mean():.3f} ({bounds[0]:.3f} to {bounds[1]:.3f})"


@dataclass(frozen=True)
class Words:
    """The sentences of the findings, as an encoder reads them.

    Attributes:
        found: (P, D) of "with FINDING".
        middle: (D,) the mean of the sentences of the collection's labels, as the product takes it.
    """

    found: Floats
    middle: Floats

    @classmethod
    def of(cls, gallery: Gallery, encoder: Encoder) -> Words:
        """Read them."""
        middle = middle_of_sentences(open_collection(gallery.name).store(encoder.encoder_id), encoder)
        assert middle is not None
        return cls(encoder.encode_texts([f"with {finding}" for finding in gallery.findings]), middle)


def normalized(vectors: Floats) -> Floats:
    """Of length 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


Ways = dict[str, tuple[Floats, Floats]]


def ways(gallery: Gallery, words: Words) -> Ways:
    """The similarities of images (N, N) and of findings (P, N) to all images, as each way takes them."""
    images, found = gallery.vectors, words.found
    mean = images.mean(axis=0)
    plain = images @ images.T, found @ images.T
    centered = normalized(images - mean) @ images.T, normalized(found - words.middle) @ images.T

    def over_spread(similarities: Floats) -> Floats:
        return np.asarray(similarities / similarities.std(axis=1)[:, None], dtype=np.float32)

    return {
        "unit vectors": plain,
        "centered": centered,
        "over spread": (over_spread(plain[0]), over_spread(plain[1])),
        "images centered, over spread": (over_spread(centered[0]), over_spread(plain[1])),
        PRODUCT: (over_spread(plain[0]), over_spread(centered[1])),
        "centered, over spread": (over_spread(centered[0]), over_spread(centered[1])),
    }


def composed(
    gallery: Gallery, way: tuple[Floats, Floats], *, image: float, words: float, own: float = 0.0
) -> npt.NDArray[np.float64]:
    """(Q,) P@10 of weighted sums: of the image, of the words that are wanted, and of the words of its own findings."""
    images, found = way

    def sums(part: npt.NDArray[np.int64]) -> Floats:
        rows = gallery.rows[part]
        total = image * images[rows] + words * found[gallery.wanted[part]]
        if own:
            shown = gallery.shows[rows].astype(np.float32)
            total += own * (shown @ found) / np.maximum(shown.sum(axis=1), 1)[:, None]
        return np.asarray(total, dtype=np.float32)

    return gallery.precision(sums)


def feedback(gallery: Gallery) -> dict[str, npt.NDArray[np.float64]]:
    """(Q,) P@10 without the first 10 hits of the image: unchanged, and after these were marked; NaN if none is left."""
    names = ("unchanged", "marks, Rocchio", "like alone", "unlike alone")
    values = {name: np.full(len(gallery.rows), np.nan) for name in names}
    images = gallery.vectors
    for part in gallery.blocks():
        relevant, excluded = gallery.relevant(part), gallery.excluded(part)
        similarities = images[gallery.rows[part]] @ images.T
        marked = np.argsort(-np.where(excluded, -np.inf, similarities), axis=1, kind="stable")[:, :K]
        is_like = np.take_along_axis(relevant, marked, axis=1)
        excluded = excluded.copy()
        np.put_along_axis(excluded, marked, values=True, axis=1)
        usable = is_like.any(axis=1) & (relevant & ~excluded).any(axis=1)
        like = _mean_of(images, marked, is_like)
        unlike = _mean_of(images, marked, ~is_like)
        own = images[gallery.rows[part]]
        for name, beta, gamma in zip(names, (0, 0.75, 0.75, 0), (0, 0.15, 0, 0.15), strict=True):
            found = hits_that_count((own + beta * like - gamma * unlike) @ images.T, relevant, excluded)
            values[name][part] = np.where(usable, found, np.nan)
    return values


def _mean_of(images: Floats, marked: npt.NDArray[np.int64], which: npt.NDArray[np.bool_]) -> Floats:
    weights = which / np.maximum(which.sum(axis=1), 1)[:, None]
    return np.asarray(np.einsum("qk,qkd->qd", weights, images[marked]), dtype=np.float32)


def timed(name: str, encoder_id: str, encoder: Encoder) -> None:
    """How long the product takes: an image, a sentence, and six marks, to hits, with nothing kept but the weights."""
    collection = open_collection(name)
    retriever = Retriever(collection, encoder_id, encoder=lambda: encoder)
    steps = [Step.of("text:1:with hemorrhage")]
    steps += [Step("like", collection.manifest.image_id(row)) for row in (10, 200, 400)]
    steps += [Step("unlike", collection.manifest.image_id(row)) for row in (600, 800, 1000)]
    composition = Composition(tuple(steps), CLASSIC)
    taken, by_clock = [], []
    for row in range(21):
        begun, clock = time.process_time(), time.perf_counter()
        query = composition.query(RowQuery((row,)), collection)
        retriever.search(query, k=K, exclude=["duplicate", "patient"])
        taken.append(1000 * (time.process_time() - begun))
        by_clock.append(1000 * (time.perf_counter() - clock))
    print(
        f"\nImage, sentence and six marks to {K} hits over {len(collection):,} images, warm: median of 20 "
        f"{np.median(taken[1:]):.0f} ms of a processor, {np.median(by_clock[1:]):.0f} ms by the clock."
    )


def check_against_product(gallery: Gallery, encoder_id: str, encoder: Encoder, *, weight: float) -> None:
    """Make sure that what is measured here is what the product does: the same hits for some queries."""
    retriever = Retriever(open_collection(gallery.name), encoder_id, encoder=lambda: encoder)
    images, found = ways(gallery, Words.of(gallery, encoder))[PRODUCT]
    part = np.linspace(0, len(gallery.rows) - 1, 20).astype(np.int64)
    same = 0
    for query, excluded in zip(part.tolist(), gallery.excluded(part), strict=True):
        row, wanted = int(gallery.rows[query]), int(gallery.wanted[query])
        steps = (Step.of(f"text:{weight:g}:with {gallery.findings[wanted]}"),)
        asked = Composition(steps).query(RowQuery((row,)), retriever.collection)
        hits = retriever.search(asked, k=K, exclude=["patient"]).rows()
        mine = np.where(excluded, -np.inf, images[row] + weight * found[wanted])
        same += len(set(hits.tolist()) & set(np.argsort(-mine, kind="stable")[:K].tolist()))
    assert same >= 0.98 * K * len(part), f"the product has {same} of {K * len(part)} hits in common with this benchmark"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("choosing")
    parser.add_argument("measuring")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--real", help="A collection with labels that is no phantom's")
    options = parser.parse_args()
    encoder = load_encoder(options.encoder)
    choosing, measuring = (Gallery.of(name, options.encoder) for name in (options.choosing, options.measuring))
    others = [Gallery.of(options.real, options.encoder)] if options.real else []
    shown = [measuring, *others]
    on_choosing = ways(choosing, Words.of(choosing, encoder))
    print(f"| way | weight of the words | {' | '.join(f'P@10 on {one.name}' for one in [choosing, *shown])} |")
    print("|---|---|" + "---|" * (1 + len(shown)))

    def line(name: str, words: str, figures: list[str]) -> None:
        print(f"| {name} | {words} | {' | '.join(figures)} |", flush=True)

    def all_of(name: str, **weights: float) -> list[str]:
        galleries = [choosing, *shown]
        made = [ways(one, Words.of(one, encoder))[name] for one in galleries]
        return [one.said(composed(one, way, **weights)) for one, way in zip(galleries, made, strict=True)]

    line("image alone", "0", all_of("unit vectors", image=1, words=0))
    line("words alone", "–", all_of("unit vectors", image=0, words=1))
    best = {}
    for name, way in on_choosing.items():
        means = {weight: composed(choosing, way, image=1, words=weight).mean() for weight in WEIGHTS}
        best[name] = max(means, key=lambda weight: means[weight])
        print(f"<!-- {name}: {', '.join(f'{weight:g} {mean:.3f}' for weight, mean in means.items())} -->")
        line(f"image + words, {name}", f"{best[name]:g}", all_of(name, image=1, words=best[name]))
        if best[name] != 1:
            line(f"image + words, {name}", "1", all_of(name, image=1, words=1))
    weight = best[PRODUCT]
    for own in (-0.25, -0.5, -1.0):
        weights = {"image": 1.0, "words": weight, "own": own * weight}
        line(
            f"image + words − words of its own finding, {PRODUCT}, {own * weight:g}",
            f"{weight:g}",
            all_of(PRODUCT, **weights),
        )
    print("\n| feedback: first 10 hits marked | queries | P@10 of what was not marked | more than unchanged |")
    print("|---|---|---|---|")
    for gallery in shown:
        values = feedback(gallery)
        usable = ~np.isnan(values["unchanged"])
        clusters = gallery.patient[gallery.rows][usable]
        for name, found in values.items():
            more = said(found[usable] - values["unchanged"][usable], clusters, least=-1.0)
            print(f"| {gallery.name}, {name} | {usable.sum():,} | {said(found[usable], clusters)} | {more} |")
    for gallery in [choosing, *shown]:
        asked, number = len(gallery.rows), len(np.unique(gallery.patient[gallery.rows]))
        print(f"\n{gallery.name}: {asked:,} queries of {number:,} patients over {len(gallery.vectors):,} images.")
    check_against_product(measuring, options.encoder, encoder, weight=weight)
    timed(options.measuring, options.encoder, encoder)


if __name__ == "__main__":
    main()
