"""Planted wrong labels: how many of them are suspected, and how many of the suspected are planted.

Usage: python -m benchmarks.label_noise COLLECTION ENCODER [COLLECTION ENCODER …] [--share 0.02] [--rounds 10]
       [--exclude patient] [--seen count|skip]

Gives 2 % of the images another label, drawn with the frequency of labels: of all labels, or of those of the same
modality and anatomy, which is harder to see. Then asks confident learning over the neighbor graph, as the page Failures
does. Prints, as a Markdown table, the means over rounds: images that are suspected, precision and recall of these,
precision among the first n by score where n are planted, how many of the planted get their true label suggested, and
the average precision of the planted among all queries, sorted by the score, and by the bare margin of the two shares.
What the collection's own labels have wrong counts against precision: the suspected without any planting are said too.
Labels are planted in all queries, those too that the encoder was trained on; ``--seen skip`` leaves these out.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation import Protocol
from radcbir_core.evaluation.metrics.label_noise import VOTES, LabelNoise, label_noise
from radcbir_core.evaluation.view import gallery_view


@dataclass(frozen=True)
class Asked:
    """A collection's full labels and hits.

    Attributes:
        queries: (Q,) rows.
        hits: (Q, 20) rows.
        codes: (N,) label of each image, -1 = none.
        labels: The name of each code.
    """

    queries: npt.NDArray[np.intp]
    hits: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    labels: tuple[str, ...]

    def noise(self, codes: npt.NDArray[np.int32]) -> LabelNoise:
        """What the hits say of labels."""
        own = codes[self.queries]
        return label_noise(self.hits, own, gallery_labels=codes, n_labels=len(self.labels), k=VOTES)


def planted(
    asked: Asked, share: float, random: np.random.Generator, *, near: bool
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]:
    """Positions of the queries that get another label, and all labels with these.

    Args:
        asked: The collection.
        share: How many of the queries.
        random: Draws.
        near: Whether the other label is of the same modality and anatomy, where there is one.
    """
    codes = asked.codes.copy()
    number = np.bincount(codes[asked.queries], minlength=len(asked.labels))
    place = np.array([label.rsplit("/", 1)[0] for label in asked.labels])
    chosen = random.choice(len(asked.queries), max(1, round(share * len(asked.queries))), replace=False)
    for position in chosen.tolist():
        row = asked.queries[position]
        other = (np.arange(len(asked.labels)) != codes[row]) & (number > 0)
        alike = other & (place == place[codes[row]])
        other = alike if near and alike.any() else other
        codes[row] = random.choice(np.flatnonzero(other), p=number[other] / number[other].sum())
    return chosen, codes


def measure(asked: Asked, share: float, rounds: int, *, near: bool) -> npt.NDArray[np.float64]:
    """Means over rounds of what is printed, in its order, from the number of the planted on."""
    figures = []
    for seed in range(rounds):
        chosen, codes = planted(asked, share, np.random.default_rng(seed), near=near)
        noise = asked.noise(codes)
        wrong = np.zeros(len(asked.queries), dtype=np.bool_)
        wrong[chosen] = True
        suspect = noise.suggested >= 0
        order = np.argsort(-np.nan_to_num(noise.score, nan=-1), kind="stable")
        margin = noise.p_suggested - noise.own
        right = noise.suggested[chosen] == asked.codes[asked.queries[chosen]]
        figures.append(
            (
                *(len(chosen), suspect.sum(), wrong[suspect].mean() if suspect.any() else np.nan),
                *(suspect[chosen].mean(), wrong[order[: len(chosen)]].mean(), right.mean()),
                *(average_precision_score(wrong, np.nan_to_num(by, nan=-2)) for by in (noise.score, margin)),
            )
        )
    means: npt.NDArray[np.float64] = np.array(figures, dtype=np.float64).mean(axis=0)
    return means


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="+", help="Collections, each followed by an encoder")
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--exclude", default="patient")
    parser.add_argument("--seen", default="count", help="Whether images that the encoder was trained on take part")
    options = parser.parse_args()
    print(
        "| collection, encoder | images, labels | planted | suspected (without planting) | precision | recall | "
        "precision of the first n | true label suggested | average precision by score | by margin |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    for name, encoder_id in zip(options.what[::2], options.what[1::2], strict=True):
        store = open_collection(name).store(encoder_id)
        exclude = [] if options.exclude == "none" else options.exclude.split(",")
        view = gallery_view(store, Protocol.of(exclude=exclude, seen=options.seen), "label")
        asked = Asked(view.queries, view.hits(VOTES).rows, view.relevance.kinds, view.relevance.labels)
        before = int((asked.noise(asked.codes).suggested >= 0).sum())
        n_labels = len(np.unique(asked.codes[asked.queries]))
        for near in (False, True):
            means = measure(asked, options.share, options.rounds, near=near)
            n, suspected, *shares = means
            kind = "same anatomy" if near else "any label"
            print(
                f"| {name}, {encoder_id} | {len(view.queries):,}, {n_labels} | {n:.0f}, {kind} | "
                f"{suspected:.0f} ({before}) | {' | '.join(f'{share:.2f}' for share in shares)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
