"""What radiologists' own sentences find: 200 of them, in words that no encoder of RadCBIR was trained on.

    python -m benchmarks.sentences COLLECTION… [--encoder radcbir-mini] [--half choosing|figure|both] [--without-seen]

``sentences.csv`` was written from the labels of the phantoms and of real images, before the sentences that
``train-mini`` makes, the glossary or anything that reads sentences was looked at, and is copied from nobody's report. A
line is a sentence, its kind, and what an image has to be labeled with to fit it. Half of each kind is there to choose
by (words, thresholds, versions of an encoder), the other half to quote figures from; which one a sentence is in follows
from the SHA-256 of its text. Where a sentence of the second half finds nothing, that is counted, and it is not named.

An image fits where its modality, its anatomy and one of its findings are those of the sentence:

- what a sentence does not name fits everything: "Small effusion on the right." fits an effusion of the pleura and one
  of a joint, in whatever image;
- several findings, with "; " between them, are what one word means several of (an infiltrate);
- names that data sets have for the same thing are in ``FINDINGS`` and ``ANATOMIES``;
- sides, places, sizes and degrees are in no label, and play no part;
- a sentence that names no finding fits all images of its kind and is asked among all images, the others among those
  that have a label.

P@10 is the share of fitting images among the first ten, for each sentence with at least 5 fitting images in the
collection; where these are fewer than ten, it cannot reach 1. Of a sentence that denies, those images fit that show
what is denied: the share of the first ten that do is compared with their share of all labeled images of that kind, and
it is said how many of the ten are of that kind at all, because an image of something else shows nothing of it.
There, too, it takes 5 images that are right: such as do not show it.

Each sentence is asked twice: of the encoder alone, word for word, by one product of plain arrays; and as it is read
(abbreviations, German, denials), by the search that the pages use. There labels leave out what is denied, and the same
labels count here, so it is asked a third time with the labels hidden from its reading. Intervals are those of 10,000
draws of sentences (percentile bootstrap, 95 %); of a dozen sentences they are rather too narrow.

Last: how often a sentence is called no better than nonsense, of the same sentences and of thirty that are none of
radiology. Nothing is fitted here.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.nonsense import standing_of
from radcbir_core.search.language.sentence_query import LeftOut, SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.queries.text import cleaned_text
from radcbir_core.search.retriever import Retriever

FILE = Path(__file__).with_name("sentences.csv")
KINDS = ("plain", "synonym", "abbreviation", "misspelling", "negation", "laterality", "German", "examination")
HALVES = ("choosing", "figure")
FIRST = 10
FEWEST = 5
DRAWS = 10_000
FINDINGS = {
    "hemorrhage": {"intracranial hemorrhage"},
    "infarct": {"ischemic stroke"},
    "kidney stone": {"stone"},
    "osteoarthritis": {"osteoarthritis grade 2", "osteoarthritis grade 3", "osteoarthritis grade 4"},
    "pleural effusion": {"effusion"},
    "pneumonia": {"bacterial pneumonia", "viral pneumonia", "COVID-19 pneumonia"},
}
"""Finding → what else a data set calls it, or a kind of it. Grade 1 of osteoarthritis is doubtful by definition."""
ANATOMIES = {
    "abdomen": {"kidney", "liver"},
    "brain": {"head"},
    "chest": {"lung"},
    "head": {"brain"},
    "lung": {"chest"},
}
"""Anatomy → what else a data set calls it, or a part of it that it names instead."""
NONSENSE = (
    # of the kitchen
    "Whisk the eggs with the sugar until the mixture is pale and thick.",
    "Simmer the onions in butter, then add a splash of white wine.",
    "Fold in the flour and bake for forty minutes at moderate heat.",
    "Marinate the chicken overnight in yoghurt, garlic and paprika.",
    "Den Teig eine Stunde gehen lassen und danach dünn ausrollen.",
    "A pinch of salt brings out the sweetness of the strawberries.",
    # of cars
    "The gearbox jerks when shifting from second into third.",
    "Worn brake pads on the front axle, replacement recommended.",
    "Diesel estate with tow bar, winter tyres and full service history.",
    "The alternator no longer charges the battery above 2000 rpm.",
    "Der Auspuff klappert und die Kupplung rutscht durch.",
    "Low mileage convertible, one careful owner, leather seats.",
    # of anything else
    "The striker scored twice before the break and was booked afterwards.",
    "Shares fell after the company lowered its forecast for the quarter.",
    "Scattered showers in the north, sunny intervals along the coast.",
    "The tenant shall return the keys on the last day of the lease.",
    "Her third novel follows two sisters through a winter in Lisbon.",
    "Please find attached the minutes of the meeting of the parents' committee.",
    "Zug fällt aus, bitte benutzen Sie den Ersatzbus vor dem Bahnhof.",
    "Knit two, purl two, and repeat to the end of the row.",
    "Check in at the hotel is possible from three in the afternoon.",
    "The string quartet tuned up while the audience found its seats.",
    # of nothing
    "Seven quiet staircases argue with the color of Thursday.",
    "Glorp wendle frantz, oby tiskel marn.",
    "The square root of a sandwich is always late for work.",
    "qwe rtz uio asd fgh",
    "Borrowed umbrellas sing louder than numbered clouds.",
    "Flimmernde Dienstage essen heimlich Treppengeländer.",
    "blah blah blah and so on and so forth",
    "Zxv kpl, mtr 44 bnq.",
)


@dataclass(frozen=True)
class Sentence:
    """A sentence, and what an image has to be labeled with to fit it.

    Attributes:
        text: The sentence.
        kind: Of :data:`KINDS`.
        modality: As in manifests; "" where it names none.
        anatomy: As in manifests; "" where it names none.
        findings: Any of which is meant; none where it names none.
        denied: Whether it says that they are not there.
        half: Of :data:`HALVES`.
    """

    text: str
    kind: str
    modality: str
    anatomy: str
    findings: tuple[str, ...]
    denied: bool
    half: str


def sentences(half: str = "both") -> list[Sentence]:
    """Those of the file, of one half or of both."""
    with FILE.open(encoding="utf-8", newline="") as handle:
        every = [
            Sentence(
                text=row["sentence"],
                kind=row["kind"],
                modality=row["modality"],
                anatomy=row["anatomy"],
                findings=tuple(row["finding"].split("; ")) if row["finding"] else (),
                denied=row["denied"] == "true",
                half=row["half"],
            )
            for row in csv.DictReader(handle)
        ]
    return [one for one in every if half in ("both", one.half)]


def halves(texts: Iterable[str]) -> dict[str, str]:
    """The half of each of some sentences: in the order of their digests the first half of them is to choose by.

    Example:
        >>> sorted(halves(["a", "b", "c"]).values())
        ['choosing', 'choosing', 'figure']
    """
    order = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).hexdigest())
    return {text: HALVES[2 * place >= len(order)] for place, text in enumerate(order)}


@dataclass(frozen=True)
class Rows:
    """What is known of the images of a collection, and their embeddings.

    Attributes:
        modality: ``(N,)`` text.
        anatomy: ``(N,)`` text, in small letters: data sets differ in them.
        findings: N sets of text in small letters; empty where nothing is known.
        vectors: ``(N, D)`` float32, unit norm; zeros where there is no embedding.
        allowed: ``(N,)`` bool; which images may be hits at all.
    """

    modality: np.ndarray
    anatomy: np.ndarray
    findings: Sequence[frozenset[str]]
    vectors: np.ndarray
    allowed: np.ndarray

    @property
    def labeled(self) -> np.ndarray:
        """``(N,)`` bool."""
        return np.array([bool(found) for found in self.findings])

    def gallery(self, sentence: Sentence) -> np.ndarray:
        """``(N,)`` bool; among which images a sentence is asked."""
        return self.allowed & self.labeled if sentence.findings else self.allowed

    def of_kind(self, sentence: Sentence) -> np.ndarray:
        """``(N,)`` bool; the images of its gallery that are of its modality and anatomy."""
        kind = self.gallery(sentence)
        if sentence.modality:
            kind = kind & (self.modality == sentence.modality)
        if sentence.anatomy:
            kind = kind & np.isin(self.anatomy, [sentence.anatomy, *ANATOMIES.get(sentence.anatomy, ())])
        return kind

    def fitting(self, sentence: Sentence) -> np.ndarray:
        """``(N,)`` bool; those that fit it, or show what it denies."""
        if not sentence.findings:
            return self.of_kind(sentence)
        named = {name.casefold() for one in sentence.findings for name in (one, *FINDINGS.get(one, ()))}
        return self.of_kind(sentence) & np.array([not named.isdisjoint(found) for found in self.findings])


def rows_of(retriever: Retriever, *, without_seen: bool = False) -> Rows:
    """Those of a collection, with the embeddings of an encoder."""
    collection, valid = retriever.collection, retriever.store.valid
    frame = collection.manifest.frame
    embedded = retriever.embed(RowQuery(tuple(np.flatnonzero(valid).tolist()))).vectors
    vectors = np.zeros((len(valid), embedded.shape[1]), dtype=np.float32)
    vectors[valid] = embedded
    return Rows(
        modality=frame["modality"].to_numpy(dtype=object),
        anatomy=np.array([name.casefold() for name in frame["anatomy"]], dtype=object),
        findings=[frozenset(name.casefold() for name in found) for found in frame["pathologies"]],
        vectors=vectors,
        allowed=valid & ~seen_of(retriever.store).rows if without_seen else valid,
    )


def nearest(vectors: np.ndarray, words: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Rows of the first ten images of ``vectors`` ``(N, D)``, of those ``among`` ``(N,)``, for a sentence ``(D,)``."""
    rows = np.flatnonzero(among)
    return rows[np.argsort(-(vectors[rows] @ words), kind="stable")[:FIRST]]


def share(relevant: np.ndarray, hits: np.ndarray) -> float:
    """The relevant of the first ten; hits that are missing are not."""
    return float(relevant[hits].sum()) / FIRST


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Between which the mean of 95 % of draws of as many values lies, with replacement."""
    drawn = np.random.default_rng(0).choice(np.asarray(values, dtype=float), (DRAWS, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


class LabelsHidden(SentenceQuery):
    """A sentence as it is read where no label says which images show what it denies."""

    __slots__ = ()

    def left_out(self, collection: Collection, lexicon: Lexicon) -> tuple[LeftOut, ...]:  # noqa: ARG002 - hidden
        """What is denied, of which nothing is known."""
        return tuple(LeftOut(finding, (), 0) for finding in dict.fromkeys(self.reading.denied))


@dataclass(frozen=True)
class Found:
    """What a sentence found.

    Attributes:
        sentence: Which.
        fitting: How many images fit it.
        usual: Their share of the images of its kind.
        shares: Way of asking → the share of the first ten that fit.
        of_kind: Way of asking → the share of the first ten that are of its kind.
        no_better: Whether it is called no better than nonsense, as it is read.
    """

    sentence: Sentence
    fitting: int
    usual: float
    shares: dict[str, float]
    of_kind: dict[str, float]
    no_better: bool


Ways = dict[str, Callable[[str, np.ndarray], np.ndarray]]


def ways_of(retriever: Retriever, rows: Rows) -> Ways:
    """How sentences are asked: name → (sentence, among which images) → rows of its first hits."""
    lexicon = Lexicon.of(retriever.collection)
    encoder = retriever.means.encoder()

    def alone(text: str, among: np.ndarray) -> np.ndarray:
        return nearest(rows.vectors, encoder.encode_texts([text])[0], among)

    def read(text: str, among: np.ndarray) -> np.ndarray:
        query = SentenceQuery(read_sentence(cleaned_text(text), lexicon))
        return retriever.search(query, k=FIRST, among=among).rows()

    def hidden(text: str, among: np.ndarray) -> np.ndarray:
        query = LabelsHidden(read_sentence(cleaned_text(text), lexicon))
        return retriever.search(query, k=FIRST, among=among).rows()

    return {"alone": alone, "read": read, "hidden": hidden}


def find(asked: Iterable[Sentence], rows: Rows, ways: Ways, no_better: Callable[[str], bool]) -> Iterator[Found]:
    """What each sentence finds that enough images fit."""
    for sentence in asked:
        fitting, kind, gallery = rows.fitting(sentence), rows.of_kind(sentence), rows.gallery(sentence)
        if fitting.sum() < FEWEST or (sentence.denied and (kind & ~fitting).sum() < FEWEST):
            continue
        hits = {way: ask(sentence.text, gallery) for way, ask in ways.items() if sentence.denied or way != "hidden"}
        yield Found(
            sentence=sentence,
            fitting=int(fitting.sum()),
            usual=float(fitting[kind].mean()),
            shares={way: share(fitting, found) for way, found in hits.items()},
            of_kind={way: share(kind, found) for way, found in hits.items()},
            no_better=no_better(sentence.text),
        )


def called_nonsense(retriever: Retriever) -> Callable[[str], bool]:
    """Whether a sentence is called no better than nonsense in a collection."""
    means, lexicon = retriever.means, Lexicon.of(retriever.collection)
    return lambda text: (
        standing_of(SentenceQuery(read_sentence(cleaned_text(text), lexicon)).embed(means), means).is_no_better
    )


def affirmed_table(found: Sequence[Found]) -> list[str]:
    """P@10 by kind, of sentences that deny nothing."""
    lines = [
        "| kind | sentences | usual in such images | P@10, encoder alone | at 0 | P@10, as it is read | at 0 "
        "| difference | called no better than nonsense |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {kind: [one for one in found if one.sentence.kind == kind] for kind in KINDS}
    groups["all that name a finding"] = [one for one in found if one.sentence.findings]
    for name, group in groups.items():
        if not group:
            continue
        cells = [name, str(len(group)), f"{np.mean([one.usual for one in group]):.3f}"]
        for way in ("alone", "read"):
            values = [one.shares[way] for one in group]
            cells += [with_interval(values), str(values.count(0.0))]
        cells += [
            with_interval([one.shares["read"] - one.shares["alone"] for one in group], sign="+"),
            str(sum(one.no_better for one in group)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def denied_table(found: Sequence[Found]) -> list[str]:
    """What is denied and shown all the same, by how it was asked."""
    lines = [
        "| kind | asked | sentences | usual in such images | of ten hits show it | fewer than usual "
        "| of ten hits are such images |",
        "|---|---|---|---|---|---|---|",
    ]
    asked = {"alone": "encoder alone", "read": "as it is read", "hidden": "as it is read, labels hidden"}
    for kind in KINDS:
        group = [one for one in found if one.sentence.kind == kind]
        for way, name in asked.items() if group else ():
            values = [one.shares[way] for one in group]
            fewer = sum(one.shares[way] < one.usual for one in group)
            lines.append(
                f"| {kind} | {name} | {len(group)} | {np.mean([one.usual for one in group]):.3f} "
                f"| {with_interval(values)} | {fewer} of {len(group)} "
                f"| {np.mean([one.of_kind[way] for one in group]):.3f} |"
            )
    return lines


def with_interval(values: Sequence[float], *, sign: str = "") -> str:
    """A mean and its interval."""
    low, high = interval(values)
    return f"{np.mean(values):{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def report(found: Sequence[Found]) -> list[str]:
    """The figures of a collection as lines of Markdown; of the half that is quoted no sentence is named."""
    affirmed = [one for one in found if not one.sentence.denied]
    denied = [one for one in found if one.sentence.denied]
    lines = affirmed_table(affirmed) if affirmed else []
    if denied:
        wrong = sum(one.no_better for one in denied)
        lines += ["", *denied_table(denied), "", f"Of these, {wrong} are called no better than nonsense."]
    nothing = defaultdict(list)
    for one in affirmed:
        if one.sentence.half == "choosing" and not one.shares["read"]:
            nothing[one.sentence.kind].append(one.sentence.text)
    if nothing:
        lines += ["", "At 0 as they are read, of the half to choose by:", ""]
        lines += [f"- {kind}: {text}" for kind, texts in nothing.items() for text in texts]
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--encoder", default="radcbir-mini")
    parser.add_argument("--half", choices=(*HALVES, "both"), default="both")
    parser.add_argument("--without-seen", action="store_true", help="no hits that the encoder was trained on")
    options = parser.parse_args()
    asked = sentences(options.half)
    of_half = halves(NONSENSE)
    silly = [text for text in NONSENSE if options.half in ("both", of_half[text])]
    for name in options.collections:
        retriever = Retriever(open_collection(name), options.encoder)
        rows = rows_of(retriever, without_seen=options.without_seen)
        no_better = called_nonsense(retriever)
        found = list(find(asked, rows, ways_of(retriever, rows), no_better))
        print(
            f"**{name}**, {options.encoder}, {options.half}: {len(found)} of {len(asked)} sentences, "
            f"{rows.allowed.sum():,} images{', none seen in training' if options.without_seen else ''}\n"
        )
        called = sum(no_better(text) for text in silly)
        print("\n".join(report(found)))
        print(f"\nOf {len(silly)} sentences that are none of radiology {called} are called no better than nonsense.\n")


if __name__ == "__main__":
    main()
