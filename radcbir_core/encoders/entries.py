"""The table of known encoders: what to know about each before it is loaded.

Owns facts alone: names, sources, licences, citations. It must load nothing and import no library.
What Denner et al. computed is from their published code (MIC-DKFZ/foundation-models-for-cbmir, embeddings/models.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from radcbir_core.errors import FOLDER, Remedy
from radcbir_core.installation import IN_REPOSITORY, INSTALL


@dataclass(frozen=True, kw_only=True)
class EncoderEntry:
    """One row of the table of known encoders: what to know before loading it.

    Attributes:
        encoder_id: Its name as a spec, as a folder and in a URL.
        title: A name for people.
        spec: What its name stands for; the name itself where its files have a layout of their own.
        family: Which loader it has: ``pixels``, ``open_clip``, ``transformers``, ``timm``, ``medclip``, ``medsam`` or
            ``radimagenet``.
        source: Where its weights come from.
        bring_in: What a person has to do for it.
        licence: Of the weights.
        dimension: Length of an embedding.
        supports_text: Whether it has a text tower.
        input: Size of its input, pixels, and how an image is fitted in.
        output: Which output of the network is the embedding, before it is given norm 1.
        citation: The publication to cite.
        note: What to know when choosing it.
        output_option: What ``?output=`` its spec stands for; empty where there is no choice.
        in_paper: Whether it is one of the encoders that Denner et al. compared.
        demonstration: Whether it is there to show what can be done, and not for studies.
        own_file: The weights file that a person has to bring, because no hub has it; usually empty.
    """

    encoder_id: str
    title: str
    spec: str
    family: str
    source: str
    bring_in: str
    licence: str
    dimension: int
    supports_text: bool
    input: str
    output: str
    citation: str
    note: str
    output_option: str = ""
    in_paper: bool = False
    demonstration: bool = False
    own_file: str = ""

    @property
    def kit(self) -> Remedy:
        """How to make a kit of it, for a machine without network or from its own file."""
        given: dict[str, str | bool] = {"from": self.own_file} if self.own_file else {}
        return Remedy("fetch_encoder", self.encoder_id, {**given, "to": FOLDER})


MINI = "data/encoders/radcbir-mini"
RESTORE_MINI = (
    f"Fetch that folder of the repository again, or run: git checkout -- {MINI}" if IN_REPOSITORY else INSTALL
)
_FETCHED = "fetched from the hub when first used"
_GATED = "accept its terms on the hub, run hf auth login, then it is fetched when first used"
_IMAGE_FEATURES = "encode_image: the projected image features"
_CLS = "class token of the last hidden state"


ENTRIES = (
    EncoderEntry(
        encoder_id="pixels",
        title="Pixels (32 x 32 baseline)",
        spec="pixels",
        family="pixels",
        source="none needed",
        bring_in="nothing to do",
        licence="Apache-2.0 (part of RadCBIR)",
        dimension=1024,
        supports_text=False,
        input="32 x 32, squashed, gray",
        output="the pixels, mean removed",
        citation="",
        note="The thumbnail itself. Fast, needs no download, and is what every other encoder has to beat.",
    ),
    EncoderEntry(
        encoder_id="biomedclip",
        title="BiomedCLIP (ViT-B/16, PubMedBERT)",
        spec="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        family="open_clip",
        source="huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        bring_in=_FETCHED,
        licence="MIT",
        dimension=512,
        supports_text=True,
        input="224 x 224, cropped",
        output=_IMAGE_FEATURES,
        citation="Zhang et al., NEJM AI 2(1), 2025; arXiv 2303.00915",
        note="Trained on figures and captions of biomedical papers; the best of ten encoders in Denner et al. 2025.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="clip-vit-l-14",
        title="CLIP (ViT-L/14, OpenAI)",
        spec="open_clip:ViT-L-14:openai",
        family="open_clip",
        source="huggingface.co/timm/vit_large_patch14_clip_224.openai",
        bring_in=_FETCHED,
        licence="MIT",
        dimension=768,
        supports_text=True,
        input="224 x 224, cropped",
        output=_IMAGE_FEATURES,
        citation="Radford et al., ICML 2021; arXiv 2103.00020",
        note="Trained on pictures and texts of the web; a general model to compare medical ones with.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="medclip",
        title="MedCLIP (Swin-T, ClinicalBERT)",
        spec="medclip",
        family="medclip",
        source="storage.googleapis.com/pytrial/medclip-vit-pretrained.zip",
        bring_in="download pytorch_model.bin from the zip of its authors, which holds it, then make a kit of it; with "
        "vocab.txt of emilyalsentzer/Bio_ClinicalBERT beside it, texts work too",
        own_file="pytorch_model.bin",
        licence="MIT",
        dimension=512,
        supports_text=True,
        input="224 x 224, cropped",
        output="pooled output, projected",
        citation="Wang et al., EMNLP 2022; arXiv 2210.10163",
        note="Trained on chest radiographs and their reports. Cropped as in Denner et al.; its authors pad: ?fit=pad.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="dinov2-vit-b-14",
        title="DINOv2 (ViT-B/14)",
        spec="hf:facebook/dinov2-base",
        family="transformers",
        source="huggingface.co/facebook/dinov2-base",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=768,
        supports_text=False,
        input="256 on the shorter side, then 224 x 224 cropped",
        output=_CLS,
        output_option="cls",
        citation="Oquab et al., TMLR 2024; arXiv 2304.07193",
        note="Trained on pictures alone, without labels.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="vit-b-16",
        title="ViT-B/16 (ImageNet-21k)",
        spec="hf:google/vit-base-patch16-224-in21k",
        family="transformers",
        source="huggingface.co/google/vit-base-patch16-224-in21k",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=768,
        supports_text=False,
        input="224 x 224, squashed",
        output=_CLS,
        output_option="cls",
        citation="Dosovitskiy et al., ICLR 2021; arXiv 2010.11929",
        note="Trained to name 21,843 kinds of pictures.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="mae-vit-b-16",
        title="MAE (ViT-B/16)",
        spec="hf:facebook/vit-mae-base",
        family="transformers",
        source="huggingface.co/facebook/vit-mae-base",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=768,
        supports_text=False,
        input="224 x 224, squashed",
        output=_CLS,
        output_option="cls",
        citation="He et al., CVPR 2022; arXiv 2111.06377",
        note="Trained to fill in masked patches. Here it sees all of them; in Denner et al. a random quarter, "
        "as the library does unless told, so that its embeddings differed each time.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="sam-vit-b",
        title="SAM (ViT-B)",
        spec="hf:facebook/sam-vit-base",
        family="transformers",
        source="huggingface.co/facebook/sam-vit-base",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=256,
        supports_text=False,
        input="1024 x 1024, padded below and to the right",
        output="image embedding, mean over space",
        output_option="mean",
        citation="Kirillov et al., ICCV 2023; arXiv 2304.02643",
        note="Trained to segment pictures. Its input is large: several seconds an image without a GPU.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="medsam-vit-b",
        title="MedSAM (ViT-B)",
        spec="medsam-vit-b",
        family="medsam",
        source="github.com/bowang-lab/MedSAM",
        bring_in="download medsam_vit_b.pth from where github.com/bowang-lab/MedSAM links it, then make a kit of it",
        own_file="medsam_vit_b.pth",
        licence="Apache-2.0",
        dimension=256,
        supports_text=False,
        input="1024 x 1024, padded below and to the right",
        output="image embedding, mean over space",
        citation="Ma et al., Nature Communications 15, 2024; arXiv 2304.12306",
        note="SAM trained on to segment medical images; prepared as SAM, as in Denner et al. Several seconds an image "
        "without a GPU.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="resnet50",
        title="ResNet-50 (ImageNet, logits)",
        spec="hf:microsoft/resnet-50?output=logits",
        family="transformers",
        source="huggingface.co/microsoft/resnet-50",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=1000,
        supports_text=False,
        input="256 on the shorter side, then 224 x 224 cropped",
        output="the 1000 logits",
        output_option="logits",
        citation="He et al., CVPR 2016; arXiv 1512.03385",
        note="As in Denner et al., the scores of ImageNet's classes.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="resnet50-pooled",
        title="ResNet-50 (ImageNet, pooled features)",
        spec="hf:microsoft/resnet-50",
        family="transformers",
        source="huggingface.co/microsoft/resnet-50",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=2048,
        supports_text=False,
        input="256 on the shorter side, then 224 x 224 cropped",
        output="pooled features",
        output_option="pooled",
        citation="He et al., CVPR 2016; arXiv 1512.03385",
        note="What the network sees before it decides for a class: the usual way to search with it.",
    ),
    EncoderEntry(
        encoder_id="radimagenet-resnet50",
        title="RadImageNet (ResNet-50)",
        spec="radimagenet-resnet50",
        family="radimagenet",
        source="github.com/BMEII-AI/RadImageNet",
        bring_in="download ResNet50.pt from where github.com/BMEII-AI/RadImageNet links its PyTorch models, then make "
        "a kit of it",
        own_file="ResNet50.pt",
        licence="MIT (its repository); the models themselves name none",
        dimension=2048,
        supports_text=False,
        input="224 x 224, squashed",
        output="pooled features",
        citation="Mei et al., Radiology: Artificial Intelligence 4(5), 2022",
        note="Trained to name 165 findings on CT, MR and ultrasound. It has seen the images of RadImageNet. Prepared "
        "as by its authors: the published code of Denner et al. leaves it out.",
        in_paper=True,
    ),
    EncoderEntry(
        encoder_id="medsiglip",
        title="MedSigLIP (SO400M/14, 448)",
        spec="hf:google/medsiglip-448",
        family="transformers",
        source="huggingface.co/google/medsiglip-448",
        bring_in=_GATED,
        licence="Health AI Developer Foundations terms",
        dimension=1152,
        supports_text=True,
        input="448 x 448, squashed",
        output="pooled image features",
        output_option="pooled",
        citation="Sellergren et al., MedGemma Technical Report, 2025; arXiv 2507.05201",
        note="Trained on radiographs, CT and MR slices, skin, eye and tissue images with texts. Large.",
    ),
    EncoderEntry(
        encoder_id="rad-dino",
        title="RAD-DINO (ViT-B/14)",
        spec="hf:microsoft/rad-dino",
        family="transformers",
        source="huggingface.co/microsoft/rad-dino",
        bring_in=_FETCHED,
        licence="MSRLA (research only)",
        dimension=768,
        supports_text=False,
        input="518 on the shorter side, then 518 x 518 cropped",
        output=_CLS,
        output_option="cls",
        citation="Pérez-García et al., Nature Machine Intelligence 7, 2025; arXiv 2401.10815",
        note="DINOv2 trained on with chest radiographs.",
    ),
    EncoderEntry(
        encoder_id="unimed-clip-vit-b-16",
        title="UniMed-CLIP (ViT-B/16, BiomedBERT)",
        spec="unimed-clip-vit-b-16",
        family="open_clip",
        source="huggingface.co/UzairK/unimed-clip-vit-b16",
        bring_in=_FETCHED,
        licence="none named in its repository: ask its authors",
        dimension=512,
        supports_text=True,
        input="224 x 224, cropped",
        output=_IMAGE_FEATURES,
        citation="Khattak et al., 2024; arXiv 2412.10372",
        note="Trained on images of six medical modalities with captions, RadImageNet and CheXpert among them.",
    ),
    EncoderEntry(
        encoder_id="siglip2-vit-b-16",
        title="SigLIP 2 (ViT-B/16)",
        spec="open_clip:ViT-B-16-SigLIP2:webli",
        family="open_clip",
        source="huggingface.co/timm/ViT-B-16-SigLIP2",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=768,
        supports_text=True,
        input="224 x 224, squashed",
        output=_IMAGE_FEATURES,
        citation="Tschannen et al., 2025; arXiv 2502.14786",
        note="Trained on pictures and texts of the web, in many languages.",
    ),
    EncoderEntry(
        encoder_id="dinov3-vit-b-16",
        title="DINOv3 (ViT-B/16)",
        spec="hf:facebook/dinov3-vitb16-pretrain-lvd1689m",
        family="transformers",
        source="huggingface.co/facebook/dinov3-vitb16-pretrain-lvd1689m",
        bring_in=_GATED,
        licence="DINOv3 License",
        dimension=768,
        supports_text=False,
        input="224 x 224, squashed",
        output=_CLS,
        output_option="cls",
        citation="Siméoni et al., 2025; arXiv 2508.10104",
        note="Trained on pictures alone, without labels. Its library resizes after scaling, we before: rounding.",
    ),
    EncoderEntry(
        encoder_id="pe-core-b-16",
        title="Perception Encoder (PE-Core-B/16)",
        spec="open_clip:PE-Core-B-16:meta",
        family="open_clip",
        source="huggingface.co/timm/PE-Core-B-16",
        bring_in=_FETCHED,
        licence="Apache-2.0",
        dimension=1024,
        supports_text=True,
        input="224 x 224, squashed",
        output=_IMAGE_FEATURES,
        citation="Bolya et al., 2025; arXiv 2504.13181",
        note="Trained on pictures, videos and texts of the web.",
    ),
    EncoderEntry(
        encoder_id="mobileclip2-s2",
        title="MobileCLIP 2 (S2)",
        spec="open_clip:MobileCLIP2-S2:dfndr2b",
        family="open_clip",
        source="huggingface.co/timm/MobileCLIP2-S2-OpenCLIP",
        bring_in=_FETCHED,
        licence="Apple AMLR (research only)",
        dimension=512,
        supports_text=True,
        input="256 x 256, cropped",
        output=_IMAGE_FEATURES,
        citation="Faghri et al., TMLR 2025; arXiv 2508.20691",
        note="Small and quick on a computer without a GPU.",
    ),
    EncoderEntry(
        encoder_id="radcbir-mini",
        title="RadCBIR mini (demonstration)",
        spec=f"local-dir:{MINI}",
        family="open_clip",
        source=MINI,
        bring_in="comes with RadCBIR",
        licence="Apache-2.0",
        dimension=276,
        supports_text=True,
        input="128 x 128, padded",
        output=_IMAGE_FEATURES,
        citation=f"Its model card, {MINI}/README.md",
        note="A small CLIP of our own for demonstration and offline use. For real studies choose BiomedCLIP.",
        demonstration=True,
    ),
)
