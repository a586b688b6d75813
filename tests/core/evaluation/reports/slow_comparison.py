"""A comparison in plain Python: an independent and slow oracle."""

from __future__ import annotations

import math

from tests.kept_embeddings import directions

FAILED = (3, 25, 44)
"""Rows that the second encoder of ``with_failures`` could not embed."""


def label_of(record, level):
    if level != "label":
        return record[level]
    found = record["pathologies"]
    known = len(found) == 1 and record["modality"] and record["anatomy"]
    return f"{record['modality']}/{record['anatomy']}/{found[0]}" if known else ""


def ranking(store, row, others):
    """``others`` by similarity to ``row``, best first; chance (None) has no ranking."""
    vectors = directions(store)
    return sorted(others, key=lambda other: (-float(vectors[other] @ vectors[row]), other))


def may_be_given(records, labels, row, protocol):
    """The rows that a query may be given under a protocol; None where the row is no query."""
    mine = records[row]
    if not labels[row] or (protocol.name == "split" and mine["split"] != "test"):
        return None
    return [
        other
        for other, theirs in enumerate(records)
        if other != row
        and labels[other]
        and (protocol.name != "split" or theirs["split"] == "train")
        and not ("patient" in protocol.exclude and mine["patient_id"] == theirs["patient_id"] != "")
    ]


def slow_queries(a, b, protocol, level):
    """row → (label, patient, {k: (P@k of A, P@k of B)}), for every query, by plain Python."""
    records = a.collection.manifest.frame.to_dict("records")
    usable = {row for row in range(len(records)) if a.valid[row] and (b is None or b.valid[row])}
    labels = [label_of(record, level) for record in records]
    result = {}
    for row in sorted(usable):
        mine, others = records[row], may_be_given(records, labels, row, protocol)
        if others is None:
            continue
        others = [other for other in others if other in usable]
        relevant = sum(labels[other] == labels[row] for other in others)
        values = {}
        for k in protocol.ks:
            size = k if protocol.divisor == "k" else min(k, relevant)
            pair = []
            for store in (a, b):
                if not relevant:
                    pair.append(math.nan if protocol.empty == "skip" else 0.0)
                elif store is None:
                    pair.append(relevant / len(others) * min(size, len(others)) / size)
                else:
                    found = ranking(store, row, others)[:size]
                    pair.append(sum(labels[other] == labels[row] for other in found) / size)
            values[k] = tuple(pair)
        patient = mine["patient_id"] or (
            f"copies {mine['duplicate_group']}" if mine["duplicate_group"] >= 0 else f"row {row}"
        )
        result[row] = (labels[row], patient, values)
    return result


def mean(values):
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
