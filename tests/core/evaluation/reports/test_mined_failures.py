"""Mined failures against plain Python that looks at every pair of images."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.groups import clusters_of
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import PAPER, Protocol, evaluation_of
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.mined_failures import (
    KINDS,
    MinedFailures,
    failures_of,
    is_of_kind,
    rate_within,
)
from radcbir_core.evaluation.reports.precision import Precision
from tests.core.evaluation.reports.slow_comparison import label_of, may_be_given, mean, ranking

PROTOCOLS = [Protocol(), Protocol.of("split", exclude=["patient"]), Protocol.of(exclude=[])]


def asked(store, protocol):
    """row → the rows that it may be given, best first; the labels and places of all images."""
    records = store.collection.manifest.frame.to_dict("records")
    labels = [label_of(record, "label") for record in records]
    lists = {}
    for row in range(len(records)):
        others = may_be_given(records, labels, row, protocol)
        if others is not None:
            lists[row] = ranking(store, row, others)
    return lists, labels, [(record["modality"], record["anatomy"]) for record in records]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=["leave-one-out", "split", "nothing excluded"])
def test_images_are_those_of_plain_python(pair, protocol) -> None:
    store, k = pair[0], 4
    result = MinedFailures(protocol, k).run(store)
    images = result.tables["images"].set_index("row")
    lists, labels, places = asked(store, protocol)
    gallery = set().union(*lists.values())
    assert set(images.index) == set(lists) | gallery
    for row, line in images.iterrows():
        assert line["label"] == labels[row]
        finders = [query for query, hits in lists.items() if row in hits[:k]]
        if row not in gallery:
            assert line["occurrences"] == line["bad_occurrences"] == line["could_find"] == -1
        else:
            assert line["occurrences"] == len(finders)
            assert line["bad_occurrences"] == sum(labels[query] != labels[row] for query in finders)
            seekers = [query for query, hits in lists.items() if row in hits and labels[query] == labels[row]]
            assert line["could_find"] == len(seekers)
        if row not in lists:
            assert line["known"] == -1
            assert math.isnan(line["similarity"])
            continue
        hits, first = lists[row], lists[row][:k]
        relevant = [labels[hit] == labels[row] for hit in hits]
        assert line["wrong"] == (not relevant[0])
        assert line["same_anatomy"] == (places[hits[0]] == places[row])
        wrong = [places[hit] == places[row] and labels[hit] != labels[row] for hit in first]
        assert line["wrong_pathology"] == pytest.approx(mean(wrong))
        assert line["other_modality"] == pytest.approx(mean([places[hit][0] != places[row][0] for hit in first]))
        assert line["known"] == len(hits)  # the graph of a small collection has everybody
        assert line["first_relevant"] == (relevant.index(True) + 1 if any(relevant) else 0)
        assert line["relevant"] == sum(relevant)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=["leave-one-out", "split", "nothing excluded"])
def test_of_those_that_could_fail_so_many_do(pair, protocol) -> None:
    result = MinedFailures(protocol, 2).run(pair[0])
    for row in result.table.itertuples():
        assert row.n == pytest.approx(row.share * row.n_images)
        assert len(failures_of(result, row.kind)) == row.n


def test_kinds_count_their_images_and_chance_is_exact(pair) -> None:
    store, k = pair[0], 4
    result = MinedFailures(k=k).run(store)
    kinds, images = result.tables["kinds"].set_index("kind"), result.tables["images"]
    assert list(kinds.index) == list(KINDS)
    lists, labels, places = asked(store, Protocol())
    able = [row for row, hits in lists.items() if any(labels[hit] == labels[row] for hit in hits)]
    for kind in KINDS:
        members = images[is_of_kind(images, kind, hub=result.facts["hub"])]
        row = kinds.loc[kind]
        assert row["n"] == len(members)
        assert row["share"] == pytest.approx(len(members) / row["n_images"])
        assert row["low"] <= row["share"] <= row["high"]
    assert kinds.loc["confident", "n_images"] == len(able)
    p1 = Precision(Protocol.of(ks=(1,))).run(store).table
    p1 = p1[(p1["level"] == "label") & (p1["averaging"] == "micro")].iloc[0]
    assert 1 - kinds.loc["confident", "share"] == pytest.approx(p1["precision"])
    assert 1 - kinds.loc["confident", "chance"] == pytest.approx(p1["chance"])
    same = [mean([places[h] == places[r] and labels[h] != labels[r] for h in lists[r]]) for r in able]
    assert kinds.loc["pathology", "chance"] == pytest.approx(mean(same))
    none = []
    for row, hits in lists.items():
        alike = sum(places[hit][0] == places[row][0] for hit in hits)
        none.append(math.comb(alike, k) / math.comb(len(hits), k))
    assert kinds.loc["modality", "chance"] == pytest.approx(1 - mean(none))
    assert kinds.loc["nothing", "chance"] == 0  # all that there is was looked at
    assert math.isnan(kinds.loc["suspect", "chance"])
    lists_an_image = sum(len(hits[:k]) for hits in lists.values()) / len(set().union(*lists.values()))
    assert kinds.loc["anti-hub", "chance"] == pytest.approx(math.exp(-lists_an_image))


def test_failures_are_in_the_order_of_their_value(pair) -> None:
    result = MinedFailures().run(pair[0])
    for kind in KINDS:
        failures = failures_of(result, kind)
        assert failures["value"].is_monotonic_decreasing
        assert len(failures) == result.table.set_index("kind").loc[kind, "n"]
    with pytest.raises(EvaluationError, match="Expected a kind of confident, "):
        failures_of(result, "none")


def test_what_is_beyond_the_graph_is_not_searched(pair, monkeypatch) -> None:
    """With a graph of five neighbors, "nothing relevant" means: among those of the five that count."""
    store = pair[0]
    ids, similarities = store.neighbor_ids[:, :5], store.neighbor_similarities[:, :5]
    monkeypatch.setattr(type(store), "neighbor_ids", property(lambda _: ids))
    monkeypatch.setattr(type(store), "neighbor_similarities", property(lambda _: similarities))
    result = MinedFailures(k=3).compute(store)
    images = result.tables["images"].set_index("row")
    lists, labels, _ = asked(store, Protocol())
    for row, hits in lists.items():
        known = [hit for hit in ids[row].tolist() if hit in hits]
        assert images.loc[row, "known"] == len(known)
        right = [labels[hit] == labels[row] for hit in known]
        assert images.loc[row, "first_relevant"] == (right.index(True) + 1 if any(right) else 0)
    # Exactly: no relevant image among as many drawn as the graph has, from all that may be given.
    able = [row for row, hits in lists.items() if any(labels[hit] == labels[row] for hit in hits)]
    missed = []
    for row in able:
        hits, drawn = lists[row], int(images.loc[row, "known"])
        wrong = sum(labels[hit] != labels[row] for hit in hits)
        missed.append(math.comb(wrong, drawn) / math.comb(len(hits), drawn))
    assert result.table.set_index("kind").loc["nothing", "chance"] == pytest.approx(mean(missed))


def test_planted_labels_are_among_the_suspects(pair, monkeypatch) -> None:
    store = pair[0]
    manifest = store.collection.manifest
    honest = manifest.labels("label")
    codes = honest.codes.copy()
    swapped = {"XR/chest/normal": "CT/abdomen/cyst, simple", "CT/abdomen/cyst, simple": "XR/chest/normal"}
    planted = []
    for label, other in swapped.items():
        row = int(np.flatnonzero(honest.codes == honest.values.index(label))[0])
        codes[row] = honest.values.index(other)
        planted.append(row)
    monkeypatch.setattr(type(manifest), "labels", lambda *_: type(honest)(honest.values, codes))
    suspects = failures_of(MinedFailures().compute(store), "suspect").set_index("row")
    assert set(planted) <= set(suspects.index)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"protocol": PAPER}, "Expected the protocol leave-one-out or split for mined failures"),
        ({"k": 101}, "Expected k from 1 to 100, but k = 101"),
    ],
)
def test_choices_that_cannot_be_are_refused(choices, message) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluation_of("failures", **choices)


def test_the_summary_says_every_kind(pair) -> None:
    result = MinedFailures().run(pair[0])
    summary = result.summary()
    assert summary["failure"].tolist() == [kind.name for kind in KINDS.values()]
    assert isinstance(result.table, pd.DataFrame)
    assert "hubs are in" in result.title


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_rate_within_all_images_is_that_of_the_table_and_within_some_that_of_their_lines(pair, kind) -> None:
    store = pair[0]
    result = MinedFailures().run(store)
    clusters = clusters_of(store)
    everyone = rate_within(result, kind, np.ones(len(clusters), dtype=bool), clusters=clusters)
    row = result.table.set_index("kind").loc[kind]
    for name, number in asdict(everyone).items():
        assert number == pytest.approx(row[name], nan_ok=True)
    chosen = np.random.default_rng(1).random(len(clusters)) < 0.4
    some = rate_within(result, kind, chosen, clusters=clusters)
    images, failures = result.tables["images"], failures_of(result, kind)["row"].tolist()
    could = [row.row for row in lines_of(images) if chosen[row.row] and could_fail(row, kind)]
    mine = [row for row in could if row in failures]
    assert (some.n_images, some.share) == (len(could), pytest.approx(len(mine) / len(could)))
    assert some.n == sum(bool(chosen[row]) for row in failures)
    assert some.n_patients == len({int(clusters[row]) for row in could})
    assert some.low <= some.share <= some.high
    none = rate_within(result, kind, np.zeros(len(clusters), dtype=bool), clusters=clusters)
    assert (none.n, none.n_images) == (0, 0)
    assert np.isnan(none.share)


def could_fail(row, kind):
    if kind in {"hub", "anti-hub"}:
        return row.occurrences >= 0
    return row.known >= 0 and (kind in {"modality", "suspect"} or row.relevant > 0)
