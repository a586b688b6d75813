"""The table of known encoders: what to know about each before it is loaded.

Owns facts alone: names, sources, licences, citations. It must load nothing and import nothing but the language.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EncoderEntry:
    """One row of the table of known encoders: what to know before loading it.

    Attributes:
        encoder_id: Its name as a spec, as a folder and in a URL.
        title: A name for people.
        spec: What its name stands for.
        family: ``pixels`` or ``open_clip``.
        source: Where its weights come from.
        licence: Of the weights.
        dimension: Length of an embedding.
        supports_text: Whether it has a text tower.
        citation: The publication to cite.
        note: What to know when choosing it.
        demonstration: Whether it is there to show what can be done, and not for studies.
    """

    encoder_id: str
    title: str
    spec: str
    family: str
    source: str
    licence: str
    dimension: int
    supports_text: bool
    citation: str
    note: str
    demonstration: bool = False


MINI = "data/encoders/radcbir-mini"
RESTORE_MINI = f"Fetch that folder of the repository again, or run: git checkout -- {MINI}"

ENTRIES = (
    EncoderEntry(
        encoder_id="pixels",
        title="Pixels (32 x 32 baseline)",
        spec="pixels",
        family="pixels",
        source="none needed",
        licence="Apache-2.0 (part of RadCBIR)",
        dimension=1024,
        supports_text=False,
        citation="",
        note="The thumbnail itself. Fast, needs no download, and is what every other encoder has to beat.",
    ),
    EncoderEntry(
        encoder_id="biomedclip",
        title="BiomedCLIP (ViT-B/16, PubMedBERT)",
        spec="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        family="open_clip",
        source="huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        licence="MIT",
        dimension=512,
        supports_text=True,
        citation="Zhang et al., NEJM AI 2(1), 2025; arXiv 2303.00915",
        note="Trained on figures and captions of biomedical papers; the best of ten encoders in Denner et al. 2025.",
    ),
    EncoderEntry(
        encoder_id="clip-vit-l-14",
        title="CLIP (ViT-L/14, OpenAI)",
        spec="open_clip:ViT-L-14:openai",
        family="open_clip",
        source="huggingface.co/timm/vit_large_patch14_clip_224.openai",
        licence="MIT",
        dimension=768,
        supports_text=True,
        citation="Radford et al., ICML 2021; arXiv 2103.00020",
        note="Trained on pictures and texts of the web; a general model to compare medical ones with.",
    ),
    EncoderEntry(
        encoder_id="radcbir-mini",
        title="RadCBIR mini (demonstration)",
        spec=f"local-dir:{MINI}",
        family="open_clip",
        source=MINI,
        licence="Apache-2.0",
        dimension=256,
        supports_text=True,
        citation=f"Its model card, {MINI}/README.md",
        note="A small CLIP of our own for demonstration and offline use. For real studies choose BiomedCLIP.",
        demonstration=True,
    ),
)
