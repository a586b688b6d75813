"""Planted slices of failure: how many are found; and of collections without any, how many are said to have one.

Usage: python -m benchmarks.slices [--rounds 200]

Draws collections of 600 queries or so: patients of several images, labels of unlike difficulty, patients who are unlike
(a beta distribution of the correlation that is said), and eight columns, five of them the same for all images of a
patient. A slice is planted by taking a part from the rate of its queries: those of one value, or of two values of two
columns. Prints two Markdown tables: with nothing planted, in how many of 100 collections any slice is called clear
(p at most .05, corrected for all that were tried), which should be 5 at most, and how often a single comparison of a
subgroup is called clear and its interval misses that there is no difference; and with a slice planted, in which share
it is found (a clear slice shares half of its queries or more with it), and in which the surest slice of all is that.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radcbir_core.evaluation.slice_candidates import Candidates, candidates_of
from radcbir_core.evaluation.statistics.contrasts import contrasts
from radcbir_core.evaluation.statistics.max_t import falls_behind

CLEAR = 0.05
VALUES = (2, 3, 4, 6, 2, 4, 4, 10)
OF_PATIENTS = 5
LABELS = 8


@dataclass(frozen=True)
class Drawn:
    """A collection: (Q,) each."""

    clusters: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    columns: list[npt.NDArray[np.int64]]
    values: npt.NDArray[np.float64]
    planted: npt.NDArray[np.bool_]


def drawn(
    random: np.random.Generator, *, patients: int, images: int, correlation: float, conditions: int = 0, less: float = 0
) -> Drawn:
    """One collection.

    Args:
        random: Draws.
        patients: How many.
        images: Of a patient, from 1 to so many.
        correlation: Of the values of two images of a patient with one label.
        conditions: Of the planted slice; 0 for none.
        less: What it takes from the rate.
    """
    from scipy.special import betaincinv

    clusters = np.repeat(np.arange(patients), random.integers(1, images + 1, patients))
    labels = np.repeat(random.choice(LABELS, patients, p=np.arange(LABELS, 0, -1) / 36), np.bincount(clusters))
    columns = []
    for column, number in enumerate(VALUES):
        shares = random.dirichlet(np.full(number, 4.0))
        alike = column < OF_PATIENTS
        codes = random.choice(number, patients if alike else len(clusters), p=shares)
        columns.append(codes[clusters] if alike else codes)
    planted = np.zeros(len(clusters), dtype=np.bool_)
    if conditions:
        planted[:] = True
        for column in random.choice(len(VALUES), conditions, replace=False):
            planted &= columns[column] == np.bincount(columns[column]).argmax()
    rate = np.clip(np.linspace(0.35, 0.9, LABELS)[labels] - less * planted, 0.02, 0.98)
    level = random.random(patients)[clusters]
    scale = (1 - correlation) / correlation
    own = betaincinv(rate * scale, (1 - rate) * scale, level)
    values = random.binomial(10, np.clip(own, 0, 1)) / 10
    return Drawn(clusters, labels, columns, values, planted)


def searched(one: Drawn) -> tuple[Candidates, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The slices that were tried, with t and p."""
    candidates = candidates_of(one.columns, one.clusters, fewest_queries=10, fewest_clusters=5)
    behind = falls_behind(one.values, candidates.membership, clusters=one.clusters, strata=one.labels)
    return candidates, behind.t, behind.p


def overlap(candidates: Candidates, planted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(M,) of each slice, the share of queries of it or of the planted that are of both."""
    both = candidates.membership.T @ planted.astype(np.float64)
    sizes = np.diff(candidates.membership.indptr)
    shares: npt.NDArray[np.float64] = both / (sizes + planted.sum() - both)
    return shares


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(
        "| patients | images each | correlation | slices tried | any called clear | subgroup clear | interval misses |"
    )
    print("|---|---|---|---|---|---|---|")
    for patients, images, correlation in ((60, 1, 0.3), (60, 8, 0.3), (200, 4, 0.1), (200, 4, 0.5), (400, 1, 0.3)):
        tried, clear, alone, missed = [], [], [], []
        for seed in range(rounds):
            one = drawn(np.random.default_rng(seed), patients=patients, images=images, correlation=correlation)
            candidates, _, p = searched(one)
            tried.append(len(p))
            clear.append(bool((p <= CLEAR).any()))
            kept = {"clusters": one.clusters, "strata": one.labels}
            made = contrasts(one.values, one.columns[1], n_groups=VALUES[1], **kept)
            there = ~np.isnan(made.low)
            alone += (made.p[there] <= CLEAR).tolist()
            missed += ((made.low[there] > 0) | (made.high[there] < 0)).tolist()
        shares = " | ".join(f"{100 * np.mean(each):.1f} %" for each in (clear, alone, missed))
        print(f"| {patients} | 1 to {images} | {correlation} | {np.mean(tried):.0f} | {shares} |", flush=True)
    print("\n| patients | images each | correlation | conditions | queries in it | less | found | surest |")
    print("|---|---|---|---|---|---|---|---|")
    for patients, images, correlation, conditions, less in (
        *((200, 4, 0.1, 1, 0.2), (200, 4, 0.1, 2, 0.2), (200, 4, 0.1, 2, 0.3), (200, 4, 0.5, 1, 0.3)),
        *((200, 4, 0.5, 2, 0.3), (60, 8, 0.3, 1, 0.3), (60, 8, 0.3, 2, 0.3)),
    ):
        sizes, hit, surest = [], [], []
        for seed in range(rounds):
            random = np.random.default_rng(seed)
            setting = {"patients": patients, "images": images, "correlation": correlation}
            one = drawn(random, **setting, conditions=conditions, less=less)
            if one.planted.sum() < 20:
                continue
            candidates, t, p = searched(one)
            alike = overlap(candidates, one.planted) >= 0.5
            sizes.append(int(one.planted.sum()))
            hit.append(bool((alike & (p <= CLEAR)).any()))
            surest.append(bool(alike[t.argmin()]))
        print(
            f"| {patients} | 1 to {images} | {correlation} | {conditions} | {np.mean(sizes):.0f} | {less} | "
            f"{np.mean(hit):.2f} | {np.mean(surest):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
