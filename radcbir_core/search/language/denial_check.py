"""How far an encoder leaves out what a sentence denies, measured on the findings that a collection has labels for.

Owns the direction that is taken away from a sentence, the measurement, and the verdict. Where labels say which images
show a finding they are left out, and nothing of this is needed; it is for findings that no label says.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from radcbir_core.search.backend import Float32, unit
from radcbir_core.search.language.kept_figures import keep_figure, kept_figure
from radcbir_core.search.queries.query import Means
from radcbir_core.vocabulary import NORMAL

IMAGE_WORDS: Final = {"XR": "radiograph", "CT": "CT", "MR": "MRI", "US": "ultrasound"}
"""What an image of a modality is called in a sentence."""
AWAY: Final = 0.5
"""How far a sentence's vector is moved away from a finding; the vector's own length is 1."""
FIRST: Final = 10
"""How many hits are looked at."""

_MOST_FINDINGS: Final = 12
_FEWEST_IMAGES: Final = 5
_RECOGNIZED: Final = 0.1
"""By how much asking for a finding has to raise its share, before leaving it out can mean anything."""
_NAME: Final = "denials"


@dataclass(frozen=True, slots=True)
class DenialCheck:
    """Shares of the first hits that show a finding, means over the findings that were looked at.

    Attributes:
        findings: How many these are.
        asked: Where the finding is asked for.
        word_for_word: Where it is denied, and the encoder reads the denial as it stands.
        left_out: Where it is denied, and its direction is taken away from the sentence.
        usual: Among all images of that modality and anatomy.
    """

    findings: int
    asked: float
    word_for_word: float
    left_out: float
    usual: float

    @property
    def tells_apart(self) -> bool:
        """Whether what is taken away is hardly found, and what is asked for is: by chance it would be as usual."""
        return self.asked >= self.usual + _RECOGNIZED and self.left_out <= self.usual

    @property
    def word_for_word_tells_apart(self) -> bool:
        """The same of a denial that is read as it stands."""
        return self.asked >= self.usual + _RECOGNIZED and self.word_for_word <= self.usual

    @property
    def said(self) -> str:
        """In a sentence.

        Example:
            >>> DenialCheck(12, 0.8, 0.3, 0.02, 0.1).said
            'Checked on 12 findings that are labeled here: of the first 10 hits 80 % show one that is asked for, 30 % \
one that is denied word for word, 2 % one that is taken away; usual are 10 %.'
        """
        return (
            f"Checked on {self.findings} {'finding that is' if self.findings == 1 else 'findings that are'} labeled "
            f"here: of the first {FIRST} hits {_percent(self.asked)} show one that is asked for, "
            f"{_percent(self.word_for_word)} one that is denied word for word, {_percent(self.left_out)} one that is "
            f"taken away; usual are {_percent(self.usual)}."
        )


def away_from(vector: Float32, shows: Float32) -> Float32:
    """``(D,)``; a sentence's vector moved away from what a finding adds to it, of length 1.

    Args:
        vector: ``(D,)`` of the sentence without the finding.
        shows: ``(D,)`` of the sentence with it.

    Example:
        >>> away_from(np.float32([1, 0]), np.float32([0, 1])).round(2).tolist()
        [0.9700000286102295, -0.25]
    """
    difference = shows - vector
    length = float(np.linalg.norm(difference))
    if not length:
        return vector
    moved: Float32 = unit(vector - AWAY * difference / length, dimension=len(vector))[0]
    return moved


def denial_check(means: Means) -> DenialCheck | None:
    """How far an encoder leaves findings out in a collection, measured once and kept; None where no finding is labeled.

    Raises:
        EncoderError: The encoder cannot be loaded here.
    """
    kept = kept_figure(means.store, _NAME)
    if kept is None:
        kept = _measured(means)
        keep_figure(means.store, _NAME, kept)
    return DenialCheck(int(kept[0]), *map(float, kept[1:])) if kept else None


def _measured(means: Means) -> list[float]:
    """The fields of a check; nothing where there is nothing to check."""
    manifest = means.store.collection.manifest
    modality, anatomy = manifest.codes("modality"), manifest.codes("anatomy")
    labeled = (manifest.pathologies.lengths > 0) & means.store.valid
    encoder, shares = means.encoder(), []
    for finding in _findings(means):
        shows = manifest.mask({"pathologies": [finding]}) & labeled
        pairs = Counter(zip(modality.codes[shows].tolist(), anatomy.codes[shows].tolist(), strict=True))
        (of_modality, of_anatomy), _ = pairs.most_common(1)[0]
        if of_modality < 0 or of_anatomy < 0:
            continue
        alike = labeled & (modality.codes == of_modality) & (anatomy.codes == of_anatomy)
        image = f"{anatomy.values[of_anatomy]} {IMAGE_WORDS.get(modality.values[of_modality], 'image')}"
        texts = [f"{image} with {finding}", f"{image} without {finding}", image]
        vectors = unit(encoder.encode_texts(texts), dimension=means.searcher.dimension)
        vectors[2] = away_from(vectors[2], vectors[0])
        hits = means.searcher.search(vectors, k=FIRST, allowed=labeled)
        found = [shows[rows[:count]].mean() for rows, count in zip(hits.rows, hits.counts, strict=True)]
        shares.append([*found, shows[alike].mean()])
    if not shares:
        return []
    return [float(len(shares)), *map(float, np.mean(shares, axis=0))]


def _findings(means: Means) -> list[str]:
    """The most frequent findings that enough images show."""
    pathologies = means.store.collection.manifest.pathologies
    counts = np.bincount(pathologies.codes, minlength=len(pathologies.values))
    named = sorted(zip((-counts).tolist(), pathologies.values, strict=True))
    enough = [name for count, name in named if -count >= _FEWEST_IMAGES and name.casefold() != NORMAL]
    return enough[:_MOST_FINDINGS]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
