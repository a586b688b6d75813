"""A sentence as a query, read with care: what it asks for in several phrasings, without what it denies.

Owns how a reading becomes vectors and exclusions. Images that are labeled with what is denied are left out as a patient
is; where no label says it, its direction is taken away from the sentence (denial_check.py says how far that goes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.search.backend import Exclusion, Float32, unit
from radcbir_core.search.language.denial_check import IMAGE_WORDS, away_from, denial_check
from radcbir_core.search.language.denials import denials_in
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.phrasings import phrasings_of
from radcbir_core.search.language.sentence_reading import SentenceReading
from radcbir_core.search.queries.query import EmbeddedQuery, Known, Means, Measure, TextQuery
from radcbir_core.search.queries.text import check_text_tower, cleaned_text, notes_on, part_read
from radcbir_core.wording import counted

_ANY_IMAGE = "normal image"
"""What is asked for where a sentence only denies, and nothing is known of the kind of image."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a collection's labels say of something that is denied.

    Attributes:
        finding: What is denied.
        labels: The labels that say it, or what it is a kind of; none where the collection has none.
        images: How many images have one of them.
    """

    finding: str
    labels: tuple[str, ...]
    images: int


@dataclass(frozen=True, slots=True)
class SentenceQuery:
    """A sentence that was read.

    Attributes:
        reading: How.
        several: Whether it is asked in several phrasings, whose vectors are averaged.
    """

    reading: SentenceReading
    several: bool = False
    measure: Measure = field(default="text_similarity", init=False)
    known: Known = field(default="never", init=False)

    def embed(self, means: Means) -> EmbeddedSentence:
        """The mean of its phrasings, of length 1; ``notes`` say what it does not read and what was left out."""
        check_text_tower(means.store)
        collection = means.store.collection
        lexicon = Lexicon.of(collection)
        left_out = self.left_out(collection, lexicon)
        asked = self.asked(collection, left_out)
        sentence = cleaned_text(asked)
        encoder = means.encoder()
        read = part_read(encoder, sentence)
        notes = [*notes_on(encoder, sentence, read), *_notes(self.reading, asked, left_out, collection)]
        said = phrasings_of(sentence, lexicon) if self.several and read == sentence else (sentence,)
        said = tuple(one for one in said if one == sentence or not encoder.truncated([one])[0])
        members = unit(encoder.encode_texts(list(said)), dimension=means.searcher.dimension)
        for finding in (one.finding for one in left_out if not one.labels):
            base = self.reading.asked or "image"
            pair = unit(encoder.encode_texts([base, f"{base} with {finding}"]), dimension=means.searcher.dimension)
            members = np.stack([away_from(one, one + pair[1] - pair[0]) for one in members])
        vector = unit(members.mean(axis=0), dimension=means.searcher.dimension)
        return EmbeddedSentence(self, vector, tuple(notes), said, members, left_out)

    def asked(self, collection: Collection, left_out: Sequence[LeftOut]) -> str:
        """What is searched for: where a sentence only denies, images of the kind of which the denied ones are."""
        return self.reading.asked or _kind_of_image(collection, left_out)

    def left_out(self, collection: Collection, lexicon: Lexicon) -> tuple[LeftOut, ...]:
        """What the labels say of each finding that is denied."""
        found = []
        pathologies = frozenset(collection.manifest.pathologies.values)
        for finding in dict.fromkeys(self.reading.denied):
            labels = tuple(label for label in lexicon.labels_for(finding) if label in pathologies)
            images = int(collection.manifest.mask({"pathologies": labels}).sum()) if labels else 0
            found.append(LeftOut(finding, labels, images))
        return tuple(found)

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """The images that are labeled with what is denied; a sentence has no patient or file.

        Raises:
            QueryError: ``exclude`` names something.
        """
        TextQuery(self.reading.text).exclusions(store, exclude)
        collection = store.collection
        labels = [name for one in self.left_out(collection, Lexicon.of(collection)) for name in one.labels]
        if not labels:
            return []
        shows = collection.manifest.mask({"pathologies": labels})
        return [Exclusion(np.where(shows, 0, -1).astype(np.int8), np.zeros(1, dtype=np.int8))]


@dataclass(frozen=True, slots=True)
class EmbeddedSentence(EmbeddedQuery):
    """A sentence with its vectors.

    Attributes:
        phrasings: In which it was asked, the sentence itself first.
        members: ``(P, D)`` float32, unit norm; one for each.
        left_out: What the labels say of each finding that is denied.
    """

    phrasings: tuple[str, ...] = ()
    members: Float32 = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    left_out: tuple[LeftOut, ...] = ()

    @property
    def reading(self) -> SentenceReading:
        """How the sentence was read."""
        assert isinstance(self.query, SentenceQuery)  # noqa: S101 - for the types
        return self.query.reading

    def denial_note(self, means: Means) -> tuple[str, bool]:
        """What is to be said of a denial that labels do not settle, and whether it can be relied on; "" for nothing.

        It is one of which no label says which images show it, or one that is read word for word. How far the encoder
        gets there is measured once, and kept.
        """
        reading = self.reading
        word_for_word = len(denials_in(reading.plain)) > len(reading.denials)
        if not word_for_word and all(one.labels for one in self.left_out):
            return "", True
        check = denial_check(means)
        if check is None:
            return "Whether this encoder can leave something out was not checked: no finding is labeled here.", False
        reliable = check.word_for_word_tells_apart if word_for_word else check.tells_apart
        verdict = "" if reliable else "This encoder cannot tell what is denied from what is asked for. "
        return f"{verdict}{check.said}", reliable


def _kind_of_image(collection: Collection, left_out: Sequence[LeftOut]) -> str:
    """In words, the modality and anatomy of most images that show what is denied; else any image."""
    labels = [label for one in left_out for label in one.labels]
    if not labels:
        return _ANY_IMAGE
    manifest = collection.manifest
    shows = manifest.mask({"pathologies": labels})
    modality, anatomy = (manifest.codes(name) for name in ("modality", "anatomy"))
    pairs = Counter(zip(modality.codes[shows].tolist(), anatomy.codes[shows].tolist(), strict=True))
    names = ["", ""]
    for (of_modality, of_anatomy), _ in pairs.most_common():
        if of_modality >= 0 or of_anatomy >= 0:
            code = modality.values[of_modality] if of_modality >= 0 else ""
            names = [anatomy.values[of_anatomy] if of_anatomy >= 0 else "", IMAGE_WORDS.get(code, "image")]
            break
    return " ".join(filter(None, names)) or _ANY_IMAGE


def _notes(reading: SentenceReading, asked: str, left_out: Sequence[LeftOut], collection: Collection) -> list[str]:
    notes = []
    unlabeled = int(np.count_nonzero(collection.manifest.pathologies.lengths == 0))
    for one in left_out:
        if one.labels:
            notes.append(
                f"Without {one.finding}: left out {'is' if one.images == 1 else 'are'} "
                f"{counted(one.images, 'image')} labeled {' or '.join(one.labels[:6])}."
                + (f" {counted(unlabeled, 'image')} without a label may still show it." if unlabeled else "")
            )
        else:
            notes.append(
                f"Without {one.finding}: no label of this collection says which images show it, so these hits may. "
                "What it adds to the sentence was taken away from it."
            )
    if left_out and not reading.asked:
        notes.append(f"The sentence says only what is not there; searched for was: {asked}.")
    return notes
