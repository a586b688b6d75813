"""P@k: which hits are relevant, how many there could be, and the averages.

Owns the arithmetic on plain row arrays, and nothing of collections, encoders or protocols: what the queries are, what
the gallery is and which hits a query got is decided by the caller. A label is an integer code, -1 where an image has
none. Everything works on whole arrays in chunks of rows, so that 1.6 million queries with 100 hits each stay within a
few hundred megabytes beyond the input.

NaN means one thing throughout: a query for which nothing relevant could have been found (``divisor="available"`` only).
It is left out of every mean, and ``n_queries`` does not count it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from radcbir_core.arrays import check_codes, row_chunks
from radcbir_core.errors import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radcbir_core.evaluation.statistics.intervals import Intervals

Divisor = Literal["k", "available"]

DIVISORS: tuple[Divisor, ...] = get_args(Divisor)


def check_hits(hit_rows: NDArray[Any], *, n_queries: int, n_rows: int) -> NDArray[Any]:
    """Return ``hit_rows`` if it is a (Q, K) table of rows of a collection, padded with -1.

    Args:
        hit_rows: (Q, K) integers.
        n_queries: Q, as the labels of the queries have it.
        n_rows: Images in the collection.

    Raises:
        ValueError: The shape, the type or a row number is wrong.

    Example:
        >>> check_hits(np.array([[1, -1]]), n_queries=1, n_rows=2)
        array([[ 1, -1]])
    """
    array = np.asarray(hit_rows)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer) or len(array) != n_queries:
        raise ValueError(
            f"Expected an integer table with one row a query ({n_queries}), but hit_rows = {array.dtype} of shape "
            f"{array.shape}. Pass the hits of exactly these queries."
        )
    if array.size and (int(array.min()) < -1 or int(array.max()) >= n_rows):
        found = int(array.min()) if int(array.min()) < -1 else int(array.max())
        raise ValueError(
            f"Expected rows from 0 to {n_rows - 1}, or -1 as padding, but hit_rows = {found} somewhere. "
            "Pass hits of this collection."
        )
    return array


def relevant_hits(
    hit_rows: NDArray[Any], query_labels: NDArray[Any], *, gallery_labels: NDArray[Any]
) -> NDArray[np.bool_]:
    """Tell for each hit whether it carries the label of its query.

    Args:
        hit_rows: (Q, K) integer rows of the collection, best first, -1 as padding.
        query_labels: (Q,) label codes of the queries, -1 = unlabeled.
        gallery_labels: (N,) label codes of all rows of the collection, -1 = unlabeled.

    Returns:
        (Q, K) bool. Padding is never relevant, and neither is anything to or of an image without a label.

    Raises:
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        >>> hits = np.array([[1, 2, -1], [0, 3, 2]])
        >>> relevant_hits(hits, np.array([0, -1]), gallery_labels=np.array([0, 0, 1, -1]))
        array([[ True, False, False],
               [False, False, False]])
    """
    queries = check_codes(query_labels, name="query_labels")
    gallery = check_codes(gallery_labels, name="gallery_labels")
    hits = check_hits(hit_rows, n_queries=len(queries), n_rows=len(gallery))
    # Padding (-1) reads the last element, which therefore is one that equals no label.
    padded = np.append(gallery, -1)
    # An unlabeled query must not equal an unlabeled image.
    wanted = np.where(queries < 0, -2, queries)
    relevant = np.empty(hits.shape, dtype=np.bool_)
    for rows in row_chunks(*hits.shape):
        np.equal(padded[hits[rows]], wanted[rows, None], out=relevant[rows])
    return relevant


def available_relevant(
    query_labels: NDArray[Any],
    gallery_labels: NDArray[Any],
    *,
    query_rows: NDArray[Any],
    gallery: NDArray[np.bool_] | None = None,
    groups: Sequence[NDArray[Any]] = (),
) -> NDArray[np.int64]:
    """Count for each query the relevant images that it may be given at all.

    Those are the images of the gallery with its label, without the query itself and without every image that shares
    any of its groups (its patient, its study, its duplicates). Groups may overlap in any way: the union is counted by
    inclusion and exclusion over all combinations of groups, so an image left out for two reasons counts once.

    Args:
        query_labels: (Q,) label codes of the queries, -1 = unlabeled.
        gallery_labels: (N,) label codes of all rows of the collection, -1 = unlabeled.
        query_rows: (Q,) the queries' own rows, -1 = an image from outside, which nothing is kept from.
        gallery: (N,) bool, which rows may be returned; all of them when None.
        groups: Arrays (N,) of group codes, -1 = not known (shares with nobody). Time and memory double with each one.

    Returns:
        (Q,) int64. 0 for an unlabeled query.

    Raises:
        ValueError: Shapes, types or row numbers do not fit together.

    Example:
        Row 0 shares its patient with row 1, and is a duplicate of row 2.

        >>> labels = np.array([0, 0, 0, 0, 1])
        >>> patient, duplicate = np.array([7, 7, 8, -1, -1]), np.array([3, -1, 3, -1, -1])
        >>> available_relevant(labels, labels, query_rows=np.arange(5), groups=[patient, duplicate])
        array([1, 2, 2, 3, 0])
    """
    queries = check_codes(query_labels, name="query_labels")
    labels = check_codes(gallery_labels, name="gallery_labels")
    rows = check_codes(query_rows, name="query_rows")
    if len(rows) != len(queries):
        raise ValueError(
            f"Expected one row a query ({len(queries)}), but len(query_rows) = {len(rows)}. "
            "Pass -1 for a query from outside the collection."
        )
    if rows.size and int(rows.max()) >= len(labels):
        raise ValueError(
            f"Expected rows below {len(labels)}, but query_rows = {int(rows.max())} somewhere. "
            "Pass queries of this collection."
        )
    allowed = np.ones(len(labels), dtype=np.bool_) if gallery is None else np.asarray(gallery)
    if allowed.shape != labels.shape or allowed.dtype != np.bool_:
        raise ValueError(
            f"Expected one bool an image ({len(labels)}), but gallery = {allowed.dtype} of shape {allowed.shape}. "
            "Pass a mask over the whole collection."
        )
    codes = [check_codes(group, name=f"groups[{number}]") for number, group in enumerate(groups)]
    for number, group in enumerate(codes):
        if len(group) != len(labels):
            raise ValueError(
                f"Expected one group code an image ({len(labels)}), but len(groups[{number}]) = {len(group)}. "
                "Pass groups of the whole collection."
            )

    members = np.flatnonzero(allowed & (labels >= 0))
    member_keys = labels[members].astype(np.int64)
    available = _lookup(member_keys, queries)
    inside = rows >= 0
    own = np.where(inside, rows, 0)
    if len(labels):
        grouped = np.zeros(len(queries), dtype=np.bool_)
        for group in codes:
            grouped |= inside & (group[own] >= 0)
        # The query is a member of all its groups; only where it has none has it to be taken out by itself.
        itself = inside & allowed[own] & (queries >= 0) & (labels[own] == queries)
        available -= itself & ~grouped
        query_keys = np.where(inside, queries, -1).astype(np.int64)
        available -= _union(members, member_keys, query_keys, own, codes)
    return available


def _union(
    members: NDArray[np.int64],
    member_keys: NDArray[np.int64],
    query_keys: NDArray[np.int64],
    query_rows: NDArray[Any],
    groups: Sequence[NDArray[Any]],
) -> NDArray[np.int64]:
    """For each query, the members with its key that share at least one of the groups with it."""
    counts = np.zeros(len(query_keys), dtype=np.int64)
    for number, group in enumerate(groups):
        # Members that share this group …
        kept, keys, own_keys = _refine(members, member_keys, query_keys, query_rows, group)
        counts += _lookup(keys, own_keys)
        # … less those already counted for one of the earlier groups, which they share as well.
        if number:
            counts -= _union(kept, keys, own_keys, query_rows, groups[:number])
    return counts


def _refine(
    members: NDArray[np.int64],
    member_keys: NDArray[np.int64],
    query_keys: NDArray[np.int64],
    query_rows: NDArray[Any],
    group: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split each key by a group: the members that have one, their new keys, and the queries' (-1 = no member)."""
    known = group[members] >= 0
    kept = members[known]
    width = int(group.max(initial=0)) + 1
    # Keys are dense (below N) and codes below 2^31, so the product fits in 63 bits.
    distinct, keys = np.unique(member_keys[known] * width + group[kept], return_inverse=True)
    own = group[query_rows].astype(np.int64)
    wanted = np.where((query_keys >= 0) & (own >= 0), query_keys * width + own, -1)
    if not len(distinct):
        return kept, keys.astype(np.int64), np.full(len(query_keys), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(distinct, wanted), len(distinct) - 1)
    return kept, keys.astype(np.int64), np.where(distinct[place] == wanted, place, -1)


def _lookup(member_keys: NDArray[np.int64], query_keys: NDArray[Any]) -> NDArray[np.int64]:
    """How many members have the key of each query; 0 for -1."""
    size = 1 + max(int(member_keys.max(initial=-1)), int(query_keys.max(initial=-1)))
    counts = np.append(np.bincount(member_keys, minlength=size).astype(np.int64), 0)
    found: NDArray[np.int64] = counts[query_keys]
    return found


def precision_at_k(
    relevant: NDArray[np.bool_],
    ks: Sequence[int],
    *,
    divisor: str = "k",
    available: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """P@k of each query.

    With ``divisor="k"`` it is the relevant ones among the first k hits ÷ k; a query with fewer than k hits loses the
    missing ones. With ``divisor="available"`` both k's become min(k, a), where a is the number of relevant images the
    query may be given: the variant of Denner et al. 2025 (arXiv 2403.06567), whose evaluator averages with pandas,
    so that a query with a = 0 (0 ÷ 0) is skipped. It is NaN here.

    Args:
        relevant: (Q, K) bool, from `relevant_hits`.
        ks: The k's, each from 1 to K.
        divisor: ``"k"`` or ``"available"``.
        available: (Q,) int, from `available_relevant`; needed by ``"available"``, and not allowed with ``"k"``.

    Returns:
        (Q, len(ks)) float64 in [0, 1], NaN only as said above. A query without a label gets 0 with ``"k"`` and NaN with
        ``"available"``; the averages leave it out either way.

    Raises:
        EvaluationError: A k is out of range, or the divisor is unknown.
        ValueError: The arrays do not fit together, or a query has more relevant hits than are available to it.

    Example:
        >>> relevant = np.array([[True, False, True], [True, False, False]])
        >>> precision_at_k(relevant, (1, 2)).tolist()
        [[1.0, 0.5], [1.0, 0.5]]
        >>> precision_at_k(relevant, (1, 2), divisor="available", available=np.array([2, 1])).tolist()
        [[1.0, 0.5], [1.0, 1.0]]
    """
    table = np.asarray(relevant)
    if table.ndim != 2 or table.dtype != np.bool_:
        raise ValueError(
            f"Expected a bool table of queries by hits, but relevant = {table.dtype} of shape {table.shape}. "
            "Pass the result of relevant_hits."
        )
    wanted = check_ks(ks, n_hits=table.shape[1])
    check_divisor(divisor)
    if (available is None) != (divisor == "k"):
        raise ValueError(
            f'Expected available with divisor "available" and only then, but divisor = {divisor!r}. '
            + ("Leave available out." if divisor == "k" else "Pass the result of available_relevant.")
        )
    if available is None:
        return _precision_by_k(table, wanted)
    count = check_codes(available, name="available")
    if len(count) != len(table) or (count.size and int(count.min()) < 0):
        raise ValueError(
            f"Expected one count of at least 0 a query ({len(table)}), but available has {len(count)} values from "
            f"{int(count.min(initial=0))}. Pass the result of available_relevant for these queries."
        )
    return _precision_by_available(table, wanted, count)


def check_ks(ks: Sequence[int], *, n_hits: int) -> list[int]:
    """Return the k's as plain integers if each is from 1 to the number of hits a query has.

    Args:
        ks: The k's.
        n_hits: Hits a query, K.

    Raises:
        EvaluationError: There is none, or one is out of range.

    Example:
        >>> check_ks((1, 3), n_hits=10)
        [1, 3]
    """
    wanted = list(ks)
    if not wanted:
        raise EvaluationError("Expected at least one k, but ks is empty. Name one, such as 10.")
    for k in wanted:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n_hits:
            raise EvaluationError(
                f"Expected every k to be a whole number from 1 to {n_hits}, the hits a query has, but k = {k}. "
                "Choose a smaller k, or search for more hits."
            )
    return [int(k) for k in wanted]


def check_divisor(divisor: str) -> None:
    """Do nothing if ``divisor`` is one of `DIVISORS`.

    Args:
        divisor: What somebody asked for.

    Raises:
        EvaluationError: It is something else.

    Example:
        >>> check_divisor("available")
    """
    if divisor not in DIVISORS:
        raise EvaluationError(f'Expected "k" or "available", but divisor = {divisor!r}. Use one of the two.')


def _precision_by_k(relevant: NDArray[np.bool_], ks: Sequence[int]) -> NDArray[np.float64]:
    precision = np.empty((len(relevant), len(ks)), dtype=np.float64)
    for column, k in enumerate(ks):
        precision[:, column] = np.count_nonzero(relevant[:, :k], axis=1) / k
    return precision


def _precision_by_available(
    relevant: NDArray[np.bool_], ks: Sequence[int], available: NDArray[Any]
) -> NDArray[np.float64]:
    precision = np.empty((len(relevant), len(ks)), dtype=np.float64)
    for rows in row_chunks(*relevant.shape):
        found = np.cumsum(relevant[rows], axis=1, dtype=np.int32)
        count = available[rows]
        over = np.flatnonzero(found[:, -1] > count)
        if over.size:
            query = int(over[0])
            raise ValueError(
                f"Expected no more relevant hits than are available, but query {rows.start + query} has "
                f"{int(found[query, -1])} of {int(count[query])}. Use the same gallery and exclusions for both."
            )
        for column, k in enumerate(ks):
            size = np.minimum(k, count)
            at = np.take_along_axis(found, np.maximum(size, 1)[:, None] - 1, axis=1)[:, 0]
            precision[rows, column] = np.divide(at, size, out=np.full(len(at), np.nan), where=size > 0)
    return precision


def check_precision(precision: NDArray[Any], query_labels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return both arrays if they are a (Q, n) table and its (Q,) label codes.

    Args:
        precision: (Q, n) P@k.
        query_labels: (Q,) label codes.

    Raises:
        ValueError: They do not fit together, or a P@k is outside [0, 1].

    Example:
        >>> check_precision(np.array([[0.5]]), np.array([0]))
        (array([[0.5]]), array([0]))
    """
    table = np.asarray(precision, dtype=np.float64)
    labels = check_codes(query_labels, name="query_labels")
    if table.ndim != 2 or len(table) != len(labels):
        raise ValueError(
            f"Expected a table with one row a query ({len(labels)}), but precision has shape {table.shape}. "
            "Pass the result of precision_at_k for these queries."
        )
    if table.size and not np.all((table >= 0) & (table <= 1) | np.isnan(table)):
        raise ValueError(
            "Expected P@k from 0 to 1, but precision has values outside. Pass the result of precision_at_k."
        )
    return table, labels


def label_totals(
    precision: NDArray[Any], query_labels: NDArray[Any], *, n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum P@k over the queries of each label, and count them.

    Args:
        precision: (Q, n) P@k; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        n_labels: L, above the highest code.

    Returns:
        (L, n) float64 sums and (L, n) int64 numbers of queries.

    Raises:
        ValueError: The arrays do not fit together, or a code is not below ``n_labels``.

    Example:
        >>> label_totals(np.array([[1.0], [0.5], [np.nan]]), np.array([0, 0, 1]), n_labels=2)
        (array([[1.5],
               [0. ]]), array([[2],
               [0]]))
    """
    table, labels = check_precision(precision, query_labels)
    if int(labels.max(initial=-1)) >= n_labels:
        raise ValueError(
            f"Expected label codes below {n_labels}, but query_labels = {int(labels.max())} somewhere. "
            "Pass the labels that the codes belong to."
        )
    sums = np.zeros((n_labels, table.shape[1]), dtype=np.float64)
    counts = np.zeros((n_labels, table.shape[1]), dtype=np.int64)
    for column, values in enumerate(table.T):
        counted = (labels >= 0) & ~np.isnan(values)
        sums[:, column] = np.bincount(labels[counted], weights=values[counted], minlength=n_labels)
        counts[:, column] = np.bincount(labels[counted], minlength=n_labels)
    return sums, counts


def _ratio(sums: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.float64]:
    """Sums ÷ counts, NaN where there is nothing to divide by."""
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return means


def label_precision(precision: NDArray[Any], query_labels: NDArray[Any], *, n_labels: int) -> NDArray[np.float64]:
    """Mean P@k over the queries of each label.

    Args:
        precision: (Q, n) P@k; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        n_labels: L, above the highest code.

    Returns:
        (L, n) float64, NaN for a label without a query.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> label_precision(np.array([[1.0], [0.5], [0.0]]), np.array([0, 0, 1]), n_labels=3).ravel().tolist()
        [0.75, 0.0, nan]
    """
    return _ratio(*label_totals(precision, query_labels, n_labels=n_labels))


def micro_precision(precision: NDArray[Any], query_labels: NDArray[Any]) -> NDArray[np.float64]:
    """Mean P@k over queries: every labeled query counts the same.

    Args:
        precision: (Q, n) P@k; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.

    Returns:
        (n,) float64, NaN when no query is left.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> micro_precision(np.array([[1.0], [0.5], [0.0]]), np.array([0, 0, 1])).tolist()
        [0.5]
    """
    table, labels = check_precision(precision, query_labels)
    counted = (labels >= 0)[:, None] & ~np.isnan(table)
    return _ratio(np.sum(table, axis=0, where=counted), np.sum(counted, axis=0))


def macro_precision(precision: NDArray[Any], query_labels: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over labels of each label's mean P@k: every label counts the same, however rare.

    Args:
        precision: (Q, n) P@k; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.

    Returns:
        (n,) float64 over the labels that have a query, NaN when there is none.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> macro_precision(np.array([[1.0], [0.5], [0.0]]), np.array([0, 0, 1])).tolist()
        [0.375]
    """
    n_labels = int(check_codes(query_labels, name="query_labels").max(initial=-1)) + 1
    means = label_precision(precision, query_labels, n_labels=n_labels)
    counted = ~np.isnan(means)
    return _ratio(np.sum(means, axis=0, where=counted), np.sum(counted, axis=0))


def summarize(
    precision: NDArray[Any],
    query_labels: NDArray[Any],
    *,
    ks: Sequence[int],
    labels: Sequence[str],
    intervals: Intervals | None = None,
) -> pd.DataFrame:
    """Put micro and macro P@k, and the P@k of each label, into one long table.

    Args:
        precision: (Q, len(ks)) P@k, from `precision_at_k`; NaN is left out.
        query_labels: (Q,) label codes; -1 is left out.
        ks: The k of each column.
        labels: The name of each code.
        intervals: From `intervals.precision_intervals` on the same arrays; adds the columns ``low`` and ``high``.

    Returns:
        Columns ``label`` (str, empty for micro and macro), ``k`` (int), ``precision`` (float, NaN without a query),
        ``n_queries`` (int, the queries behind the number), ``averaging`` (``micro``, ``macro`` or ``label``), and
        ``low`` and ``high`` if asked for. First micro for every k, then macro, then the labels in the order of their
        codes, each for every k. A label that no query carries has no row.

    Raises:
        ValueError: The arrays do not fit together.

    Example:
        >>> precision = np.array([[1.0], [0.5], [0.0]])
        >>> print(summarize(precision, np.array([0, 0, 1]), ks=(1,), labels=("chest", "hand")).to_string())
           label  k  precision  n_queries averaging
        0         1      0.500          3     micro
        1         1      0.375          3     macro
        2  chest  1      0.750          2     label
        3   hand  1      0.000          1     label
    """
    table, codes = check_precision(precision, query_labels)
    if table.shape[1] != len(ks):
        raise ValueError(
            f"Expected one column a k ({len(ks)}), but precision has shape {table.shape}. "
            "Pass the k's that precision_at_k was called with."
        )
    sums, counts = label_totals(table, codes, n_labels=len(labels))
    present = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(labels)))
    names = ["", "", *(labels[code] for code in present.tolist())]
    averaging = ["micro", "macro"] + ["label"] * len(present)
    means = np.vstack([micro_precision(table, codes), macro_precision(table, codes), _ratio(sums, counts)[present]])
    numbers = np.vstack([counts.sum(axis=0), counts.sum(axis=0), counts[present]])
    columns: dict[str, Any] = {
        "label": [name for name in names for _ in ks],
        "k": np.tile(np.asarray(ks, dtype=np.int64), len(names)),
        "precision": means.ravel(),
        "n_queries": numbers.ravel(),
        "averaging": [kind for kind in averaging for _ in ks],
    }
    if intervals is not None:
        if intervals.label.shape != (len(labels), len(ks), 2):
            raise ValueError(
                f"Expected intervals of {len(labels)} labels and {len(ks)} k's, but intervals.label has shape "
                f"{intervals.label.shape}. Compute them from the same arrays."
            )
        bounds = np.concatenate([intervals.micro[None], intervals.macro[None], intervals.label[present]])
        columns["low"] = bounds[..., 0].ravel()
        columns["high"] = bounds[..., 1].ravel()
    return pd.DataFrame(columns).astype({"label": "str", "averaging": "str"})
