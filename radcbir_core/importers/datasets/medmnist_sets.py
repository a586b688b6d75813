"""The data sets of MedMNIST v2: what they show, what their classes mean, how many images they have.

Owns this one table. Names, classes, counts and licences: Yang et al., MedMNIST v2, Scientific Data 2023, and the
package ``medmnist`` 3.0.2. Modality and anatomy are ours, from the same paper's description of the sources.
"""

from __future__ import annotations

from dataclasses import dataclass

_BY = "CC BY 4.0"

_ORGANS = (
    *("bladder", "left femur", "right femur", "heart", "left kidney", "right kidney", "liver", "left lung"),
    *("right lung", "pancreas", "spleen"),
)


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set of MedMNIST.

    Attributes:
        modality: Of all its images.
        anatomy: Of all its images; "" where the class is the anatomy.
        classes: What the labels stand for, in their order.
        counts: Documented images (or volumes) of train, val and test.
        licence: Its licence.
        several: Whether each label is a row of zeros and ones, one a finding; all zeros is normal.
    """

    modality: str
    anatomy: str
    classes: tuple[str, ...]
    counts: tuple[int, int, int]
    licence: str = _BY
    several: bool = False


DATA_SETS = {
    "pathmnist": DataSet(
        "other",
        "colon",
        (
            *("adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa"),
            *("cancer-associated stroma", "colorectal adenocarcinoma epithelium"),
        ),
        (89_996, 10_004, 7_180),
    ),
    "chestmnist": DataSet(
        "XR",
        "chest",
        (
            # "effusion" and "pleural" as NIH ChestX-ray14, from which they come, and the other chest sets name them.
            *("atelectasis", "cardiomegaly", "pleural effusion", "infiltration", "mass", "nodule", "pneumonia"),
            *("pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening", "hernia"),
        ),
        (78_468, 11_219, 22_433),
        several=True,
    ),
    "dermamnist": DataSet(
        "other",
        "skin",
        (
            *("actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma"),
            *("benign keratosis-like lesions", "dermatofibroma", "melanoma", "melanocytic nevi", "vascular lesions"),
        ),
        (7_007, 1_003, 2_005),
        "CC BY-NC 4.0",
    ),
    "octmnist": DataSet(
        "other",
        "retina",
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        (97_477, 10_832, 1_000),
    ),
    "pneumoniamnist": DataSet("XR", "chest", ("normal", "pneumonia"), (4_708, 524, 624)),
    "retinamnist": DataSet(
        "other", "retina", tuple(f"diabetic retinopathy grade {grade}" for grade in range(5)), (1_080, 120, 400)
    ),
    "breastmnist": DataSet("US", "breast", ("malignant", "normal or benign"), (546, 78, 156)),
    "bloodmnist": DataSet(
        "other",
        "blood",
        (
            *("basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte"),
            *("neutrophil", "platelet"),
        ),
        (11_959, 1_712, 3_421),
    ),
    "tissuemnist": DataSet(
        "other",
        "kidney cortex",
        (
            *("collecting duct or connecting tubule", "distal convoluted tubule", "glomerular endothelial cells"),
            *("interstitial endothelial cells", "leukocytes", "podocytes", "proximal tubule segments"),
            "thick ascending limb",
        ),
        (165_466, 23_640, 47_280),
    ),
    "organamnist": DataSet("CT", "", _ORGANS, (34_561, 6_491, 17_778)),
    "organcmnist": DataSet("CT", "", _ORGANS, (12_975, 2_392, 8_216)),
    "organsmnist": DataSet("CT", "", _ORGANS, (13_932, 2_452, 8_827)),
    "organmnist3d": DataSet(
        "CT",
        "",
        (
            *("liver", "right kidney", "left kidney", "right femur", "left femur", "bladder", "heart", "right lung"),
            *("left lung", "spleen", "pancreas"),
        ),
        (971, 161, 610),
    ),
    "nodulemnist3d": DataSet("CT", "lung", ("benign nodule", "malignant nodule"), (1_158, 165, 310)),
    "adrenalmnist3d": DataSet("CT", "adrenal gland", ("normal", "hyperplasia"), (1_188, 98, 298)),
    "fracturemnist3d": DataSet(
        "CT",
        "rib",
        ("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
        (1_027, 103, 240),
    ),
    "vesselmnist3d": DataSet("MR", "brain vessel", ("normal", "aneurysm"), (1_335, 191, 382)),
    "synapsemnist3d": DataSet("other", "brain", ("inhibitory synapse", "excitatory synapse"), (1_230, 177, 352)),
}
"""Every data set of MedMNIST v2, by the name of its file."""
