"""How often the 95 % intervals hold the truth, and how wide they are: labels, differences of two encoders, macro means.

Usage: python -m benchmarks.interval_coverage [--runs 2000] [--macro-runs 400] [--only TITLE] [--markdown FILE]
       python -m benchmarks.interval_coverage --timing

Draws evaluations whose true mean is known. Every patient has a chance of its own around that of the label (a beta
distribution with the correlation that is asked for), and each query of k hits is drawn from it. Labels: 3 to 200
patients, true means .02 to .98, correlation within a patient 0 to .8, k = 1 and 10; patients with as many queries each,
1 to 20, few, or heavy-tailed numbers of up to 200. Differences: the same of two encoders whose chances hang together,
of up to 60 patients. Macro: 26 labels by Zipf's law and 161, with several labels a patient, and labels that are nearly
always right.

Prints the worst cell and the mean width of each number of patients, beside those of the percentiles of 400 bootstrap
draws over patients. 95 in 100 is what an interval promises. With ``--only``, the tables alone whose title has these
words; with ``--timing``, how long all intervals of a large evaluation take.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.special import betaincinv

from radcbir_core.evaluation.statistics.intervals import mean_intervals

PATIENTS = (3, 4, 5, 7, 10, 20, 30, 60, 100, 200)
MOST_OF_DIFFERENCES = 60  # patients; the formulas are those of labels, and the hard cells have few
TRUTHS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
"""Those above one half are their mirror images, as hits are of misses."""
CORRELATIONS = (0.0, 0.2, 0.5, 0.8)
ORDINARY = ("as many", "1 to 20", "few")
HEAVY = ("heavy tail", "one in ten large")


def sizes(law: str, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Queries of each patient."""
    if law == "as many":
        return np.full(shape, 4)
    if law == "1 to 20":
        return random.integers(1, 21, shape)
    if law == "few":
        return np.minimum(random.geometric(0.35, shape), 20)
    if law == "heavy tail":
        return np.minimum((random.pareto(0.9, shape) + 1).astype(np.int64), 200)
    return np.where(random.random(shape) < 0.1, random.integers(50, 201, shape), random.integers(1, 4, shape))


def chances(truth: np.ndarray | float, correlation: float, shape: tuple[int, ...], random: np.random.Generator):
    """Each patient's own chance of a hit."""
    if correlation == 0:
        return np.broadcast_to(truth, shape)
    strength = (1 - correlation) / correlation
    return random.beta(np.asarray(truth) * strength, (1 - np.asarray(truth)) * strength, shape)


def bootstrap(sums: np.ndarray, counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(R, 2) percentiles of 400 draws over patients of each of R runs."""
    runs, patients = counts.shape
    bounds = np.empty((runs, 2))
    for run in range(runs):
        times = random.multinomial(patients, np.full(patients, 1 / patients), 400)
        bounds[run] = np.quantile((times @ sums[run]) / (times @ counts[run]), (0.025, 0.975))
    return bounds


def label_runs(
    patients: int, law: str, truth: float, correlation: float, k: int, *, runs: int, differences: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """(R, 2) bounds of this package, (R', 2) of the bootstrap on some of the runs, and the true mean."""
    seed = [patients, [*ORDINARY, *HEAVY].index(law), round(truth * 100), round(correlation * 10), k, differences]
    random = np.random.default_rng(seed)
    counts = sizes(law, (runs, patients), random)
    total = int(counts.sum())
    cluster = np.repeat(np.arange(runs * patients), counts.ravel())
    run = np.repeat(np.arange(runs), counts.sum(axis=1))
    own = chances(truth, correlation, (runs, patients), random).ravel()
    values = random.binomial(k, own[cluster], total) / k
    right = truth
    if differences:
        # The other encoder: better or as good, and with half of the patients' chances in common.
        right = 0.5 * truth + 0.3
        other = 0.5 * own + 0.5 * np.asarray(chances(0.6, correlation, own.shape, random))
        values = random.binomial(k, other[cluster], total) / k - values
        right -= truth
    limits = (-1.0, 1.0) if differences else (0.0, 1.0)
    bounds = mean_intervals(values[:, None], run, clusters=cluster, n_labels=runs, limits=limits).label[:, 0]
    some = max(1, min(runs, 150))
    sums = np.bincount(cluster, weights=values, minlength=runs * patients).reshape(runs, patients)
    return bounds, bootstrap(sums[:some], counts[:some], random), right


def label_table(*, runs: int, laws: tuple[str, ...], differences: bool) -> Iterator[tuple[str, ...]]:
    """Lines of a table: patients, then worst cell and mean width of these intervals and of the bootstrap."""
    for patients in [number for number in PATIENTS if not differences or number <= MOST_OF_DIFFERENCES]:
        held, width, before, before_width, worst = [], [], [], [], ""
        for law in laws:
            for truth in TRUTHS:
                for correlation in CORRELATIONS:
                    for k in (1, 10):
                        cell = (patients, law, truth, correlation, k)
                        bounds, drawn, right = label_runs(*cell, runs=runs, differences=differences)
                        share = np.mean((bounds[:, 0] <= right) & (right <= bounds[:, 1]))
                        if not held or share < min(held):
                            worst = f"{law}, {truth}, {correlation}, k = {k}"
                        held.append(share)
                        width.append(np.mean(bounds[:, 1] - bounds[:, 0]))
                        before.append(np.mean((drawn[:, 0] <= right) & (right <= drawn[:, 1])))
                        before_width.append(np.mean(drawn[:, 1] - drawn[:, 0]))
        yield (
            str(patients),
            f"{min(held):.1%}",
            f"{np.mean(held):.1%}",
            f"{np.mean(width):.3f}",
            worst,
            f"{min(before):.0%}",
            f"{np.mean(before):.0%}",
            f"{np.mean(before_width):.3f}",
        )


MACRO = {
    # name: labels, how rare the rarest is, from and to where the labels' true means lie, images a label and patient
    "26 labels by Zipf": (26, 1.0, (0.02, 0.98), 5),
    "26 labels by Zipf, nearly right": (26, 1.0, (0.85, 0.99), 5),
    "26 labels by Zipf, nearly wrong": (26, 1.0, (0.01, 0.15), 5),
    "5 labels as frequent": (5, 0.0, (0.02, 0.98), 10),
    "161 labels by Zipf": (161, 1.0, (0.02, 0.98), 3),
    "26 labels by Zipf, 1 to 60 images": (26, 1.0, (0.02, 0.98), 60),
}


def macro_runs(
    name: str, patients: int, correlation: float, *, runs: int, differences: bool
) -> tuple[float, float, float, float]:
    """Share held and mean width of these intervals, and of percentiles of 200 bootstrap draws (on some of the runs)."""
    n_labels, law, (least, most), images = MACRO[name]
    frequency = np.arange(1, n_labels + 1) ** -law
    held, width, before, before_width = [], [], [], []
    limits = (-1.0, 1.0) if differences else (0.0, 1.0)
    for run in range(runs):
        random = np.random.default_rng([run, patients, list(MACRO).index(name), round(correlation * 10), differences])
        truth = random.uniform(least, most, (2, n_labels))
        lines: list[tuple[int, int, int]] = []
        for patient in range(patients):
            for label in random.choice(n_labels, random.integers(1, 4), p=frequency / frequency.sum(), replace=False):
                lines.append((int(label), patient, int(random.integers(1, images + 1))))
        label, patient, count = (np.array(part) for part in zip(*lines, strict=True))
        own = np.stack([_of_patients(truth[side][label], patient, correlation, random) for side in (0, 1)])
        labels, clusters = np.repeat(label, count), np.repeat(patient, count)
        hits = [random.binomial(1, np.repeat(own[side], count)).astype(float) for side in (0, 1)]
        values = hits[1] - hits[0] if differences else hits[0]
        of_label = truth[1] - truth[0] if differences else truth[0]
        right = of_label[np.unique(labels)].mean()
        bounds = mean_intervals(values[:, None], labels, clusters=clusters, n_labels=n_labels, limits=limits).macro[0]
        held.append(bounds[0] <= right <= bounds[1])
        width.append(bounds[1] - bounds[0])
        if run < 100:
            drawn = _macro_draws(values, labels, clusters, n_labels, random)
            before.append(drawn[0] <= right <= drawn[1])
            before_width.append(drawn[1] - drawn[0])
    return float(np.mean(held)), float(np.mean(width)), float(np.mean(before)), float(np.mean(before_width))


def _of_patients(truth: np.ndarray, patient: np.ndarray, correlation: float, random: np.random.Generator) -> np.ndarray:
    """The chance of each patient and label; half of the patients are as good or bad under all of their labels."""
    if correlation == 0:
        return truth
    place = random.random(len(truth))
    of_one = random.random(int(patient.max()) + 1)
    place = np.where(random.random(len(of_one))[patient] < 0.5, of_one[patient], place)
    strength = (1 - correlation) / correlation
    return betaincinv(truth * strength, (1 - truth) * strength, place)


def _macro_draws(
    values: np.ndarray, labels: np.ndarray, clusters: np.ndarray, n_labels: int, random: np.random.Generator
) -> np.ndarray:
    patients = int(clusters.max()) + 1
    cell = clusters * n_labels + labels
    sums = np.bincount(cell, weights=values, minlength=patients * n_labels).reshape(patients, n_labels)
    counts = np.bincount(cell, minlength=patients * n_labels).reshape(patients, n_labels)
    times = random.multinomial(patients, np.full(patients, 1 / patients), 200)
    with np.errstate(invalid="ignore"):
        return np.quantile(np.nanmean((times @ sums) / (times @ counts), axis=1), (0.025, 0.975))


def macro_table(*, runs: int, differences: bool) -> Iterator[tuple[str, ...]]:
    """Lines of a table: setting and patients, worst correlation, and the same of the bootstrap."""
    for name in MACRO:
        for patients in (10, 40, 100, 300):
            parts = [
                macro_runs(name, patients, correlation, runs=runs, differences=differences) for correlation in (0, 0.5)
            ]
            held, width, before, before_width = np.array(parts).T
            yield (
                name,
                str(patients),
                f"{held.min():.1%}",
                f"{width.mean():.3f}",
                f"{before.min():.0%}",
                f"{before_width.mean():.3f}",
            )


def timing(*, queries: int = 160_000, labels: int = 161, ks: int = 4, patients: int = 40_000) -> str:
    """How long the micro, macro and label intervals of so many queries take, the least of five runs; a line."""
    random = np.random.default_rng(0)
    values = random.random((queries, ks)).round(1)
    codes = np.minimum(random.zipf(1.3, queries) - 1, labels - 1)
    clusters = random.integers(0, patients, queries)
    seconds, on_the_clock = [], []
    for _ in range(5):
        started = time.process_time(), time.perf_counter()
        mean_intervals(values, codes, clusters=clusters, n_labels=labels)
        seconds.append(time.process_time() - started[0])
        on_the_clock.append(time.perf_counter() - started[1])
    return (
        f"{queries:,} queries of {patients:,} patients, {labels} labels, {ks} k's: {min(seconds):.2f} s of processor "
        f"time, {min(on_the_clock):.2f} s on the clock"
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--macro-runs", type=int, default=400)
    parser.add_argument("--markdown", type=Path, help="also write the tables into this file")
    parser.add_argument("--only", default="", help="words of the titles of the tables to make; all by default")
    parser.add_argument("--timing", action="store_true", help="time a large evaluation instead")
    options = parser.parse_args()
    if options.timing:
        print(timing())
        return
    said = []

    def tell(line: str) -> None:
        print(line, flush=True)
        said.append(line)

    of_labels = ("patients", "worst cell", "mean", "width", "worst cell is", *("bootstrap: worst", "mean", "width"))
    for title, laws, differences in (
        ("Labels and micro means", ORDINARY, False),
        ("Labels and micro means, heavy-tailed numbers of queries", HEAVY, False),
        ("Paired differences of two encoders", ORDINARY, True),
        ("Paired differences, heavy-tailed numbers of queries", HEAVY, True),
    ):
        if options.only not in title:
            continue
        tell(f"\n{title}\n\n| {' | '.join(of_labels)} |\n|{'---|' * len(of_labels)}")
        for line in label_table(runs=options.runs, laws=laws, differences=differences):
            tell(f"| {' | '.join(line)} |")
    of_macro = ("setting", "patients", "worst cell", "width", "bootstrap: worst", "width")
    for title, differences in (("Macro means", False), ("Macro means of differences", True)):
        if options.only not in title:
            continue
        tell(f"\n{title}\n\n| {' | '.join(of_macro)} |\n|{'---|' * len(of_macro)}")
        for line in macro_table(runs=options.macro_runs, differences=differences):
            tell(f"| {' | '.join(line)} |")
    if options.markdown:
        options.markdown.write_text("\n".join(said).strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
