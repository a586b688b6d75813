"""Could a difference between two encoders be luck? A test per label, and a correction for testing many labels.

Owns the paired randomization test over patients and Holm's correction. The test asks: if it made no difference which
encoder is called A and which B, so that the two could be swapped patient by patient, how often would a difference as
large as the one found come about? (Smucker, Allan and Carterette, *A comparison of statistical significance tests for
information retrieval evaluation*, CIKM 2007, who recommend it there; here whole patients are swapped, because images of
one patient are not independent.)

With few patients it cannot call anything clear: five can be swapped in 32 ways, and p is at least 2/32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.arrays import check_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_CLUSTERS = 12
"""Up to so many patients that differ, all ways to swap them are gone through."""
DRAWN_CLUSTERS = 200
"""Up to so many, :data:`DRAWS` ways are drawn; beyond, the sum is as good as normally distributed."""
DRAWS = 20_000


def swap_p_values(
    differences: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    clusters: NDArray[Any],
    n_labels: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Two-sided p of each label's mean difference, by swapping the two encoders cluster by cluster.

    Args:
        differences: (Q, n_k) of each query, B − A; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        clusters: (Q,) cluster code of each query, at least 0.
        n_labels: L, above the highest label code.
        seed: Same seed, same p.

    Returns:
        (L, n_k) float64 above 0 and up to 1; 1 where no cluster differs, NaN for a label without a query.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        Four patients, all better with B: of 16 ways to swap them, 2 give as large a difference.

        >>> swap_p_values(np.ones((4, 1)), np.zeros(4, int), clusters=np.arange(4), n_labels=1).tolist()
        [[0.125]]
    """
    table = np.asarray(differences, dtype=np.float64)
    labels = check_codes(query_labels, name="query_labels")
    codes = check_codes(clusters, name="clusters")
    if table.ndim != 2 or len(table) != len(labels) or len(codes) != len(labels):
        raise ValueError(
            f"Expected one line, one label and one cluster a query, but differences has shape {table.shape}, and there "
            f"are {len(labels)} labels and {len(codes)} clusters. Pass those of the same queries."
        )
    p = np.full((n_labels, table.shape[1]), np.nan)
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(n_labels + 1))
    draws = drawn_signs(seed)
    for label in range(n_labels):
        mine = order[edges[label] : edges[label + 1]]
        if not len(mine):
            continue
        members = np.unique(codes[mine], return_inverse=True)[1]
        for column in range(table.shape[1]):
            values = table[mine, column]
            known = ~np.isnan(values)
            if known.any():
                sums = np.bincount(members[known], weights=values[known])
                p[label, column] = sign_flip_p(sums.astype(np.float64), draws)
    return p


@lru_cache(maxsize=2)
def drawn_signs(seed: int = 0) -> NDArray[np.intp]:
    """(:data:`DRAWN_CLUSTERS` / 8, :data:`DRAWS`) signs, of eight clusters in each number; same seed, same signs.

    A bit is the sign of a cluster, that of the first cluster the lowest: 1 is +1, 0 is −1. Not to be written to.
    """
    bits = np.random.default_rng(seed).integers(0, 2, size=(DRAWS, DRAWN_CLUSTERS), dtype=np.int8)
    draws = np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little").T).astype(np.intp)
    draws.flags.writeable = False
    return draws


def _drawn_sums(sums: NDArray[np.float64], draws: NDArray[np.intp]) -> NDArray[np.float64]:
    """(:data:`DRAWS`,) the total of the clusters' sums under each draw of signs.

    Eight clusters have 256 sums between them, which are made once and looked up: a tenth of the time of all products.
    """
    eights = -(-len(sums) // 8)
    parts = np.zeros((eights, 8))
    parts.reshape(-1)[: len(sums)] = sums
    totals = np.zeros(draws.shape[1])
    for part, drawn in zip(parts @ _OF_EIGHT.T, draws[:eights], strict=True):
        totals += part[drawn]
    return totals


_OF_EIGHT = 2.0 * ((np.arange(256)[:, None] >> np.arange(8)) & 1) - 1
"""(256, 8) the signs that a number of :func:`drawn_signs` stands for."""


def sign_flip_p(sums: NDArray[np.float64], draws: NDArray[np.intp], *, total: float | None = None) -> float:
    """Two-sided p of the total of the clusters' sums when each may have either sign.

    Args:
        sums: (C,) of each cluster.
        draws: Of :func:`drawn_signs`.
        total: What was observed; that of the sums by default. It may be another where the sums were made larger for
            what estimating took from them.

    Example:
        >>> sign_flip_p(np.ones(4), drawn_signs())
        0.125
    """
    from scipy.special import erfc

    # Swapping what does not differ changes nothing.
    sums = sums[np.abs(sums) > 1e-12]
    size = len(sums)
    if not size:
        return 1.0
    # So that the last digits do not decide between equals.
    total = abs(float(sums.sum()) if total is None else total) - 1e-9
    if size <= EXACT_CLUSTERS:
        ways = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
        # The two ways that were found, all as it is and all swapped, count whatever the total.
        return float(max(np.count_nonzero(np.abs((2 * ways - 1) @ sums) >= total), 2) / 2**size)
    if size <= DRAWN_CLUSTERS:
        # The way that was found counts too (Phipson and Smyth, Stat Appl Genet Mol Biol 9(1), 2010): p is never 0.
        return float((1 + np.count_nonzero(np.abs(_drawn_sums(sums, draws)) >= total)) / (1 + DRAWS))
    return float(max(erfc(total / np.sqrt(2 * np.sum(sums**2))), np.finfo(np.float64).tiny))


def holm(p_values: NDArray[Any]) -> NDArray[np.float64]:
    """Correct p values for their number, after Holm (*Scandinavian Journal of Statistics* 6, 1979, pp. 65-70).

    Calling clear what is at most 0.05 afterwards, one calls anything clear wrongly in at most 5 % of comparisons,
    whatever hangs together with what.

    Args:
        p_values: (L,) from 0 to 1; NaN is no test.

    Returns:
        (L,) float64 from 0 to 1, NaN where it was.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).round(2).tolist()
        [0.03, 0.06, 0.06, nan]
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted
