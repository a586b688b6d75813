"""Hubness against plain Python that looks at every pair of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation import PAPER, Protocol, evaluation_of
from radcbir_core.evaluation.reports.hubness import CORRECTED, HUBNESS_COLUMNS, Hubness
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from tests.core.evaluation.reports.slow_comparison import mean
from tests.core.evaluation.reports.test_mined_failures import asked
from tests.kept_embeddings import directions


def slow_lists(store, protocol):
    """Ranking → row → its hits, all of them, by plain Python; and the labels."""
    lists, labels, _ = asked(store, protocol)
    vectors = directions(store)
    everybody, _, _ = asked(store, Protocol.of(exclude=protocol.exclude))
    gallery = set().union(*lists.values())
    usable = set(lists) | gallery

    def similarity(row, other):
        return float(np.float16(vectors[row] @ vectors[other]))

    near = {row: [similarity(row, other) for other in everybody[row] if other in usable] for row in gallery}
    usual = {row: mean(near[row][:10]) for row in gallery}
    by_csls, by_proximity = {}, {}
    for row, hits in lists.items():
        csls, proximity = {}, {}
        mine = [similarity(row, other) for other in hits]
        for hit in hits:
            alike = similarity(row, hit)
            csls[hit] = 2 * alike - usual[hit]
            proximity[hit] = len(gallery) - sum(other > alike for other in mine)
            proximity[hit] *= len(usable) - sum(other > alike for other in near[hit])
        by_csls[row] = sorted(hits, key=lambda hit, scores=csls: -scores[hit])
        by_proximity[row] = sorted(hits, key=lambda hit, scores=proximity: -scores[hit])
    return {"cosine": lists, "csls": by_csls, "mutual_proximity": by_proximity}, labels


@pytest.mark.parametrize("protocol", [Protocol(), Protocol.of("split", exclude=["patient"])], ids=["all", "split"])
def test_it_is_what_plain_python_says(pair, protocol) -> None:
    store = pair[0]
    result = Hubness(protocol).run(store)
    rankings, labels = slow_lists(store, protocol)
    cosine = rankings["cosine"]
    images = result.tables["images"].set_index("row")
    gallery = set().union(*cosine.values())
    assert set(images.index) == gallery
    for column, lists in rankings.items():
        counts = {row: sum(row in hits[:10] for hits in lists.values()) for row in gallery}
        assert images[column].to_dict() == counts
        values = list(counts.values())
        facts = result.facts[column]
        assert facts["skewness"] == pytest.approx(stats.skew(values))
        assert facts["anti_hubs"] == values.count(0)
        assert facts["most"] == max(values)
        hubs = [value for value in values if value > np.mean(values) + 2 * np.std(values)]
        assert (facts["hubs"], facts["hub_share"]) == (len(hubs), pytest.approx(sum(hubs) / sum(values)))
        table = result.tables["histogram"].set_index("occurrences")[column].to_dict()
        assert table == {number: values.count(number) for number in table}
    assert images["bad"].to_dict() == {
        row: sum(row in hits[:10] and labels[query] != labels[row] for query, hits in cosine.items()) for row in gallery
    }
    table = result.table
    assert list(table.columns) == list(HUBNESS_COLUMNS)
    asks = [row for row, hits in cosine.items() if any(labels[hit] == labels[row] for hit in hits)]
    for k in protocol.ks:
        row = table[(table["averaging"] == "micro") & (table["k"] == k)].iloc[0]
        for column, lists in rankings.items():
            right = [sum(labels[hit] == labels[query] for hit in lists[query][:k]) / k for query in asks]
            assert row[column] == pytest.approx(mean(right))


@pytest.mark.parametrize("ranking", CORRECTED)
def test_differences_are_paired_over_patients(pair, ranking) -> None:
    store = pair[0]
    table = Hubness().run(store).table
    rankings, labels = slow_lists(store, Protocol())
    cosine = rankings["cosine"]
    patients = store.collection.manifest.frame["patient_id"].tolist()
    label = "XR/chest/normal"
    mine = [row for row, hits in cosine.items() if labels[row] == label and label in {labels[hit] for hit in hits}]
    values = [
        [sum(labels[hit] == label for hit in lists[row][:5]) / 5 for row in mine]
        for lists in (cosine, rankings[ranking])
    ]
    codes = np.unique([patients[row] or f"image {row}" for row in mine], return_inverse=True)[1]
    difference = (np.array(values[1]) - values[0])[:, None]
    zeros = np.zeros(len(mine), int)
    bounds = mean_intervals(difference, zeros, clusters=codes, n_labels=1, limits=(-1, 1)).label[0, 0]
    row = table[(table["label"] == label) & (table["k"] == 5)].iloc[0]
    assert row[f"{ranking}_difference"] == pytest.approx(float(difference.mean()))
    found = [row[f"{ranking}_difference_low"], row[f"{ranking}_difference_high"]]
    assert found == pytest.approx(bounds.tolist())
    assert (row["n_queries"], row["n_patients"]) == (len(mine), len(set(codes.tolist())))


def test_by_cosine_it_is_the_precision_and_chance_is_its_chance(pair) -> None:
    store = pair[0]
    table = Hubness().run(store).table.set_index(["averaging", "label", "k"])
    means = Precision().run(store).table
    means = means[means["level"] == "label"].set_index(["averaging", "label", "k"])
    for mine, theirs in (("cosine", "precision"), ("cosine_low", "low"), ("chance", "chance"), ("n_empty", "n_empty")):
        assert table[mine].to_dict() == pytest.approx(means[theirs].to_dict(), nan_ok=True)


def test_the_histogram_by_chance_has_the_same_mean(pair) -> None:
    table = Hubness().run(pair[0]).tables["histogram"]
    counts = table["cosine"].sum()
    lists = (table["occurrences"] * table["cosine"]).sum() / counts
    assert table["chance"].tolist() == pytest.approx(
        [counts * math.exp(-lists) * lists**n / math.factorial(n) for n in table["occurrences"]]
    )


def test_a_fixed_protocol_is_refused_and_the_summary_says_each_ranking(pair) -> None:
    with pytest.raises(EvaluationError, match="Expected the protocol leave-one-out or split for hubness"):
        evaluation_of("hubness", protocol=PAPER)
    result = Hubness().run(pair[0])
    assert result.summary()["averaging"].tolist() == ["micro"] * 4 + ["macro"] * 4
    remarks = result.evaluation.remarks(result)
    assert [remark.split(":")[0] for remark in remarks] == ["By cosine", "By CSLS", "By mutual proximity"]
