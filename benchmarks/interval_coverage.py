"""How often the 95 % intervals of macro and micro means hold the truth, where labels are rare and patients few.

Usage: python -m benchmarks.interval_coverage [--runs 250]

Draws collections of 26 labels whose frequencies follow Zipf's law, of 40, 100 and 300 patients with one or two labels
each and one to five images a label; an image is a hit by a chance of its patient, which varies around that of its label
(correlation 1/3 within a patient). Prints, for each number of patients, the share of runs whose interval holds the true
mean, and the mean width; 95 in 100 is what an interval promises.
"""

from __future__ import annotations

import argparse

import numpy as np

from radcbir_core.evaluation.statistics.intervals import mean_intervals

LABELS = 26


def drawn(random: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hits (Q, 1), label codes, patients, and the true chance of every label."""
    frequency = 1 / np.arange(1, LABELS + 1)
    chance = random.beta(1, 1.5, LABELS)
    labels, clusters, hits = [], [], []
    for patient in range(patients):
        for label in random.choice(LABELS, random.integers(1, 3), p=frequency / frequency.sum(), replace=False):
            images = random.integers(1, 6)
            own = random.beta(2 * chance[label], 2 * (1 - chance[label]))
            labels += [label] * images
            clusters += [patient] * images
            hits += (random.random(images) < own).tolist()
    return np.array(hits, dtype=np.float64)[:, None], np.array(labels), np.array(clusters), chance


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=250)
    runs = parser.parse_args().runs
    for patients in (40, 100, 300):
        held, width = np.zeros((runs, 2), dtype=bool), np.zeros((runs, 2))
        for run in range(runs):
            hits, labels, clusters, chance = drawn(np.random.default_rng(run), patients)
            bounds = mean_intervals(hits, labels, clusters=clusters, n_labels=LABELS, draws=300)
            truths = (chance[np.unique(labels)].mean(), chance[labels].mean())
            for column, ((low, high), truth) in enumerate(zip((bounds.macro[0], bounds.micro[0]), truths, strict=True)):
                held[run, column], width[run, column] = low <= truth <= high, high - low
        macro, micro = zip(held.mean(axis=0), width.mean(axis=0), strict=True)
        print(
            f"{patients:4d} patients: macro held in {macro[0]:.1%}, width {macro[1]:.3f}; "
            f"micro held in {micro[0]:.1%}, width {micro[1]:.3f}"
        )


if __name__ == "__main__":
    main()
