"""How far sentences are read with care: nonsense, slips, denials, phrasings and labels by text, where labels are known.

    python -m benchmarks.text_queries COLLECTION… [--encoder radcbir-mini]

Prints, for each collection, with the thresholds that the core has:

- nonsense of another seed than what is kept: the share that is called no better, and the share of sentences made of
  the collection's own labels that is called so wrongly;
- slips in the words of the glossary: how often the first suggestion is the right word, by the standard library's
  measure and by edits and swaps counted here, with the processor's milliseconds a word; and how many words that are
  none get a suggestion;
- denied findings: how many of ten labeled hits show what is denied, before (the sentence word for word) and after,
  where labels settle it and, labels hidden, by the direction alone; for "no X", an image without X, and Y without X;
- phrasings: P@10 by the full label of one phrasing and of several, paired;
- labels by text: how often the nearest sentence is the image's own label, of all images and of those that were not
  seen in training.

Intervals are 1.96 standard errors over labels. Nothing is fitted here.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.search.language.denial_check import IMAGE_WORDS, away_from, denial_check
from radcbir_core.search.language.label_scores import label_sentences
from radcbir_core.search.language.label_sentences import label_sentence
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.nonsense import EACH, EVERYDAY, LENGTHS, nonsense, standing_of
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import as_written, read_sentence
from radcbir_core.search.language.spelling import nearest
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.retriever import Retriever
from radcbir_core.vocabulary import NORMAL

SEED = 7
FIRST = 10
FEWEST = 5


def mean_of(values: Sequence[float]) -> str:
    """A mean with its interval over what it is a mean of."""
    numbers = np.asarray(values, dtype=float)
    half = 1.96 * numbers.std(ddof=1) / np.sqrt(len(numbers)) if len(numbers) > 1 else float("nan")
    return f"{numbers.mean():.3f} ± {half:.3f}"


def label_texts(collection: Collection) -> list[str]:
    """Sentences made of the collection's labels, short and long."""
    made: dict[str, None] = {}
    for label in collection.manifest.labels("label").counts():
        modality, anatomy, finding = label.split("/", 2)
        image = f"{anatomy} {IMAGE_WORDS.get(modality, 'image')}"
        for text in (
            label_sentence(modality, anatomy, finding),
            image,
            finding,
            f"{image} showing {finding}",
            f"{finding} on {IMAGE_WORDS.get(modality, 'image')}",
            f"{image} of a patient with {finding}",
        ):
            made[text] = None
    return list(made)


def tell_nonsense(retriever: Retriever, lexicon: Lexicon) -> None:
    """How much nonsense is called so, and how many sentences of labels are."""
    means = retriever.means

    def called(text: str, *, known: bool | None = None) -> bool:
        reading = read_sentence(text, lexicon)
        standing = standing_of(SentenceQuery(reading).embed(means), means)
        return standing.is_no_better if known is None else standing.share > 0.05

    texts = label_texts(retriever.collection)
    wrong = [text for text in texts if called(text)]
    print(f"  sentences of labels called no better: {len(wrong)} of {len(texts)} {wrong[:4]}")
    kinds = ("letters", "syllables", "everyday words")
    found: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for lengths in LENGTHS:
        for place, text in enumerate(nonsense(lengths, each=2 * EACH, seed=SEED)):
            found[kinds[place // (2 * EACH)]].append(called(text))
    everything = [one for values in found.values() for one in values]
    parts = ", ".join(f"{kind} {np.mean(values):.3f}" for kind, values in found.items())
    print(f"  nonsense called no better: {np.mean(everything):.3f} of {len(everything)} ({parts})")


def slipped(draw: random.Random, word: str) -> str:
    """With one slip behind the first letter."""
    at, letter = draw.randrange(1, len(word) - 1), draw.choice("abcdefghijklmnopqrstuvwxyz")
    return draw.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


def edits(one: str, other: str) -> int:
    """Letters put in, left out, exchanged, or swapped with their neighbor (optimal string alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def nearest_by_edits(word: str, known: dict[str, str]) -> list[str]:
    """The peer of ``nearest``: the known word with the fewest edits, if at most one letter in three is wrong."""
    near = [(edits(word, key), key) for key in known if abs(len(key) - len(word)) <= len(word) // 3]
    return [known[key] for far, key in sorted(near)[:1] if far <= len(word) // 3]


def tell_slips() -> None:
    """How many slips are mended."""
    words = Lexicon().words
    draw = random.Random(SEED)
    for slips, shortest in ((1, 5), (2, 8)):
        chosen = [draw.choice([key for key in words if len(key) >= shortest and key.isalpha()]) for _ in range(400)]
        pairs = []
        for word in chosen:
            wrong = word
            for _ in range(slips):
                wrong = slipped(draw, wrong)
            if wrong not in words:
                pairs.append((wrong, words[word]))
        for name, by in (("difflib", nearest), ("edits", nearest_by_edits)):
            find: Callable[..., list[str]] = by
            some = pairs if name == "difflib" else pairs[:100]
            start = time.process_time()
            right = [find(wrong, words)[:1] == [word] for wrong, word in some]
            took = 1000 * (time.process_time() - start) / len(some)
            print(
                f"  {slips} slip(s), {shortest}+ letters, {name}: {np.mean(right):.3f} of {len(some)}, {took:.1f} ms "
                "a word"
            )
    letters = [word for text in nonsense((2, 3), seed=SEED)[:EACH] for word in text.split()]
    suggested = [np.mean([bool(nearest(word, words)) for word in some]) for some in (letters, EVERYDAY)]
    print(f"  suggestions for letters at random {suggested[0]:.3f}, for words of daily life {suggested[1]:.3f}")


def findings_of(collection: Collection) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Each finding that enough images show: its name, its kind of image in words, who shows it, who is of that kind."""
    manifest = collection.manifest
    modality, anatomy = manifest.codes("modality"), manifest.codes("anatomy")
    for finding in manifest.pathologies.values:
        shows = manifest.mask({"pathologies": [finding]})
        if finding == NORMAL or shows.sum() < FEWEST:
            continue
        pairs = Counter(zip(modality.codes[shows].tolist(), anatomy.codes[shows].tolist(), strict=True))
        (of_modality, of_anatomy), _ = pairs.most_common(1)[0]
        if of_modality >= 0 and of_anatomy >= 0:
            words = f"{anatomy.values[of_anatomy]} {IMAGE_WORDS.get(modality.values[of_modality], 'image')}"
            yield finding, words, shows, (modality.codes == of_modality) & (anatomy.codes == of_anatomy)


def tell_denials(retriever: Retriever, lexicon: Lexicon) -> None:
    """How many of ten labeled hits show what was denied."""
    collection, means = retriever.collection, retriever.means
    labeled = collection.manifest.pathologies.lengths > 0
    encoder = means.encoder()
    findings = list(findings_of(collection))
    shares: dict[str, list[float]] = {}

    def first(query: object) -> np.ndarray:
        return retriever.search(query, k=FIRST, among=labeled).rows()  # type: ignore[arg-type]

    def by_direction(asked: str, finding: str) -> np.ndarray:
        base, shows = encoder.encode_texts([asked, f"{asked} with {finding}"])
        moved = away_from(base, shows)[None]
        return means.searcher.search(moved, k=FIRST, allowed=labeled).rows[0]

    for finding, image, shows, alike in findings:
        shares.setdefault("usual in such images", []).append(shows[alike & labeled].mean())
        for name, text in (("no X", f"no {finding}"), ("image without X", f"{image} without {finding}")):
            before = shows[first(SentenceQuery(as_written(text)))].mean()
            after = shows[first(SentenceQuery(read_sentence(text, lexicon)))].mean()
            shares.setdefault(f"{name}: before", []).append(before)
            shares.setdefault(f"{name}: after", []).append(after)
            if "effusion" in finding:
                print(f"  {text}: of 10 hits {10 * before:.0f} show it before, {10 * after:.0f} after")
        shares.setdefault("image with X", []).append(
            shows[first(SentenceQuery(as_written(f"{image} with {finding}")))].mean()
        )
        shares.setdefault("image without X: direction alone", []).append(shows[by_direction(image, finding)].mean())
    for name, values in shares.items():
        print(f"  {name}: {mean_of(values)} over {len(values)} findings")
    both: dict[str, list[tuple[float, float]]] = {}
    for finding, image, shows, _ in findings:
        for other, its_image, also, _ in findings:
            if other == finding or its_image != image:
                continue
            text = f"{image} with {finding} without {other}"
            ways = {
                "before": first(SentenceQuery(as_written(text))),
                "after": first(SentenceQuery(read_sentence(text, lexicon))),
                "direction alone": by_direction(f"{image} with {finding}", other),
            }
            for name, rows in ways.items():
                both.setdefault(name, []).append((shows[rows].mean(), also[rows].mean()))
    for name, pairs in both.items():
        asked, denied = np.mean(pairs, axis=0)
        print(f"  Y without X, {name}: {asked:.3f} show Y, {denied:.3f} show X, over {len(pairs)} pairs")
    check = denial_check(means)
    print(f"  {check.said if check else 'not checked'} Reliable: {check.tells_apart if check else False}")


def tell_phrasings(retriever: Retriever, lexicon: Lexicon) -> None:
    """P@10 of one phrasing and of several."""
    labels = retriever.collection.manifest.labels("label")
    found: dict[str, list[tuple[float, float]]] = {"sentence": [], "finding alone": []}
    for label, count in labels.counts().items():
        modality, anatomy, finding = label.split("/", 2)
        if count < FIRST:
            continue
        code = list(labels.values).index(label)
        texts = {"sentence": label_sentence(modality, anatomy, finding)}
        if finding != NORMAL:
            texts["finding alone"] = finding
        for name, text in texts.items():
            answers = [
                retriever.search(SentenceQuery(read_sentence(text, lexicon), several)) for several in (False, True)
            ]
            one, several = (float(np.mean(labels.codes[answer.rows()] == code)) for answer in answers)
            found[name].append((one, several))
    for name, pairs in found.items():
        if pairs:
            one, several = np.transpose(pairs)
            print(
                f"  P@10 of a {name}: one phrasing {one.mean():.3f}, several {several.mean():.3f}, difference "
                f"{mean_of(several - one)} over {len(pairs)} labels"
            )


def tell_label_scores(retriever: Retriever) -> None:
    """How often the nearest sentence is the image's own label."""
    labels = retriever.collection.manifest.labels("label")
    sentences = label_sentences(retriever.means)
    place = {label: number for number, label in enumerate(sentences.labels)}
    own = np.array([place.get(labels.values[code], -1) if code >= 0 else -1 for code in labels.codes])
    rows = np.flatnonzero((own >= 0) & retriever.store.valid)
    if not len(rows):
        return
    vectors = retriever.embed(RowQuery(tuple(rows.tolist()))).vectors
    order = np.argsort(-(vectors @ sentences.vectors.T), axis=1, kind="stable")
    right = order[:, 0] == own[rows]
    among = (order[:, :3] == own[rows, None]).any(axis=1)
    unseen = ~seen_of(retriever.store).rows[rows]
    for name, mask in (("all", np.ones(len(rows), dtype=bool)), ("not seen in training", unseen)):
        if mask.any():
            print(
                f"  nearest of {len(sentences.labels)} labels, {name}: {right[mask].mean():.3f}, among the first three "
                f"{among[mask].mean():.3f}, of {mask.sum()} images"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--encoder", default="radcbir-mini")
    options = parser.parse_args()
    print("slips")
    tell_slips()
    for name in options.collections:
        collection = open_collection(name)
        retriever, lexicon = Retriever(collection, options.encoder), Lexicon.of(collection)
        print(f"{name}: {len(collection):,} images, {options.encoder}")
        tell_nonsense(retriever, lexicon)
        tell_denials(retriever, lexicon)
        tell_phrasings(retriever, lexicon)
        tell_label_scores(retriever)


if __name__ == "__main__":
    main()
