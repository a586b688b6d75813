"""Which of many overlapping groups of queries fall behind? A test of all of them at once.

Owns the step-down max-T procedure of Westfall and Young (*Resampling-Based Multiple Testing*, 1993, algorithm 4.1) with
signs that are flipped patient by patient, as in randomization.py. Groups that overlap fall behind together. Holm's
correction holds for whatever hangs together with what, and pays for thousands of groups as if each were alone; here the
same signs are drawn for all groups, so that what hangs together is drawn together, and the correction is as large as it
must be: where nothing differs, any group is called clear in at most one of twenty collections.

Of a group: the sum over its queries of value less the mean of their stratum (such as their label), divided by how much
that sum varies when patients' signs are flipped. Its mirror is what flipping leaves of the group against its stratum: a
patient counts by what it adds to the group, less the group's share of what it adds to each stratum. What estimating the
mean of a stratum takes from a patient is given back: its residuals are divided by √(1 - its share of the stratum).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from radcbir_core.arrays import check_codes, dense_codes
from radcbir_core.evaluation.statistics.averages import ratio
from radcbir_core.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

DRAWS: Final = 999
"""p is a multiple of 1/1000."""
FEWER_DRAWS: Final = 299
"""And one of 1/300 of more than :data:`MANY` queries, where draws take their time."""
MANY: Final = 50_000
_ELEMENTS: Final = 16_000_000  # of a block of drawn residuals


@dataclass(frozen=True, slots=True)
class Behind:
    """How far groups fall behind, and how sure that is.

    Attributes:
        mean: (M,) the mean residual of each group's queries.
        t: (M,) the sum of residuals in units of its deviation, below 0 where a group falls behind; 0 where nothing can
            be told.
        p: (M,) of falling behind so far by luck, corrected for all groups; above 0 and up to 1.
    """

    mean: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]


def falls_behind(
    values: NDArray[Any],
    membership: sparse.csc_array,
    *,
    clusters: NDArray[Any],
    strata: NDArray[Any],
    draws: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Behind:
    """Test many groups at once, each against the others of the same strata.

    Args:
        values: (Q,) from 0 to 1, without NaN.
        membership: (Q, M), 1 where a query is of a group.
        clusters: (Q,) cluster codes, at least 0.
        strata: (Q,) codes of what is compared with its like alone, at least 0.
        draws: How often signs are flipped; :data:`DRAWS` or :data:`FEWER_DRAWS` by default.
        seed: Same seed, same p.
        progress: Told the draws, as step "signs".

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        Of 40 patients with an image each, the 12 of the first group find nothing, those of the second as much as all.

        >>> from scipy import sparse
        >>> values = np.r_[np.zeros(12), np.ones(28)]
        >>> groups = sparse.csc_array(np.column_stack([np.arange(40) < 12, np.arange(40) % 4 == 0]))
        >>> behind = falls_behind(values, groups, clusters=np.arange(40), strata=np.zeros(40, int))
        >>> behind.mean.round(2).tolist(), bool(behind.p[0] < 0.01 < behind.p[1])
        ([-0.7, 0.0], True)
    """
    from scipy import sparse  # half a second

    own = np.asarray(values, dtype=np.float64)
    cluster, stratum = check_codes(clusters, name="clusters"), check_codes(strata, name="strata")
    if own.ndim != 1 or np.isnan(own).any() or {len(cluster), len(stratum), membership.shape[0]} != {len(own)}:
        raise ValueError(
            f"Expected a value without NaN, a cluster, a stratum and a line of members for each of {len(own)} queries, "
            f"but there are {len(cluster)}, {len(stratum)} and {membership.shape[0]}. Pass those of the same queries."
        )
    cluster, stratum = (dense_codes(each)[1] for each in (cluster, stratum))
    size = np.bincount(stratum)
    residuals = own - (np.bincount(stratum, weights=own) / size)[stratum]
    draws = (DRAWS if len(own) <= MANY else FEWER_DRAWS) if draws is None else draws
    members = sparse.csr_array(membership.T.astype(np.float32))
    lines = (np.ones(len(own), dtype=np.float32), (stratum, np.arange(len(own))))
    of_strata = sparse.csr_array(lines, shape=(len(size), len(own)))
    shares = sparse.csr_array((members @ of_strata.T) / size.astype(np.float32))
    sums = members.astype(np.float64) @ residuals
    patients = int(cluster.max(initial=-1)) + 1
    enlarged = residuals * _given_back(cluster, stratum, size)
    # What a patient adds to each group and to each stratum: all of its queries have one sign.
    to_groups = _by_patient(members, enlarged, cluster, patients)
    to_strata = _by_patient(of_strata, enlarged, cluster, patients)
    drawn = np.empty((members.shape[0], draws), dtype=np.float32)
    random = np.random.default_rng(seed)
    step = max(1, min(draws, _ELEMENTS // max(len(own), 1)))
    together = max(1, _ELEMENTS // max(patients, 1) // step)
    progress("signs", 0, draws)
    waiting: list[NDArray[np.int8]] = []
    for start in range(0, draws, step):
        number = min(step, draws - start)
        waiting.append(random.integers(0, 2, size=(patients, number), dtype=np.int8) * np.int8(2) - np.int8(1))
        done = start + number
        if len(waiting) == together or done == draws:
            signs = np.hstack(waiting).astype(np.float32)
            waiting = []
            drawn[:, done - signs.shape[1] : done] = to_groups @ signs - shares @ (to_strata @ signs)
            progress("signs", done, draws)
    deviation = np.sqrt(np.mean(np.square(drawn, dtype=np.float64), axis=1))
    known = deviation > 1e-6
    t = np.divide(sums, deviation, out=np.zeros(len(sums)), where=known)
    number_of = np.asarray(members.sum(axis=1)).reshape(-1)
    return Behind(ratio(sums, number_of), t, _step_down(t, drawn, deviation, known))


def _by_patient(
    members: sparse.csr_array, values: NDArray[np.float64], cluster: NDArray[np.int64], patients: int
) -> sparse.csr_array:
    """``(M, patients)``: the sum of the values of each patient's queries among those of each line of ``members``."""
    from scipy import sparse

    shape = (members.shape[0], patients)
    added = sparse.csr_array((values[members.indices], cluster[members.indices], members.indptr), shape=shape)
    added.sum_duplicates()
    return added.astype(np.float32)


def _step_down(
    t: NDArray[np.float64],
    drawn: NDArray[np.float32],
    deviation: NDArray[np.float64],
    known: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """How likely each group is by luck: how often the least of all that are not before it is as small as it."""
    p = np.ones(len(t))
    order = np.flatnonzero(known)[np.argsort(t[known], kind="stable")]
    if not len(order):
        return p
    scaled = drawn[order] / deviation[order, None].astype(np.float32)
    least = np.minimum.accumulate(scaled[::-1], axis=0)[::-1]
    as_small = np.count_nonzero(least <= t[order, None] + 1e-6, axis=1)
    p[order] = np.maximum.accumulate((1 + as_small) / (1 + drawn.shape[1]))
    return p


def _given_back(cluster: NDArray[np.int64], stratum: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q,) what the residuals of each query are multiplied by; 1 where a stratum is of one cluster."""
    pairs, pair, n = np.unique(cluster * len(size) + stratum, return_inverse=True, return_counts=True)
    rest = 1 - n / size[pairs % len(size)]
    factor = 1 / np.sqrt(rest, out=np.ones(len(rest)), where=rest > 1e-12)
    given: NDArray[np.float64] = factor[pair]
    return given
