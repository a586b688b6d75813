"""How radiologists say what an image is and shows: several words for each modality, anatomy and finding.

Owns vocabulary only. The first word of each is the plainest one. Findings read well after "with" and after "showing".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MODALITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "XR": ("radiograph", "X-ray", "plain radiograph", "plain film", "X-ray image", "radiography"),
    "CT": ("CT", "CT scan", "computed tomography", "CT image", "CT slice", "computed tomography scan"),
    "MR": ("MRI", "MR image", "magnetic resonance imaging", "MRI scan", "MR", "magnetic resonance image"),
    "US": ("ultrasound", "ultrasound image", "sonogram", "sonography", "ultrasonography", "ultrasound scan"),
}

ANATOMIES: Final[Mapping[str, tuple[str, ...]]] = {
    "chest": ("chest", "thorax", "lungs"),
    "hand": ("hand", "hand and wrist", "fingers"),
    "knee": ("knee", "knee joint"),
    "head": ("head", "brain", "skull"),
    "abdomen": ("abdomen", "belly", "upper abdomen"),
    "brain": ("brain", "head", "cerebrum"),
    "lumbar spine": ("lumbar spine", "spine", "lower back", "lumbar vertebral column"),
    "breast": ("breast", "mamma", "breasts"),
    "liver": ("liver", "hepatic parenchyma"),
    "kidney": ("kidney", "renal parenchyma"),
    "thyroid": ("thyroid", "thyroid gland", "neck"),
    "gallbladder": ("gallbladder", "biliary tract", "gall bladder"),
    "lung": ("lung", "pleura and lung", "lungs"),
    "shoulder": ("shoulder", "shoulder joint"),
    "ankle": ("ankle", "ankle joint"),
    "heart": ("heart", "cardiac chambers"),
    "lymph node": ("lymph node", "lymph nodes"),
    "hip": ("hip", "hip joint", "pelvis"),
}

FINDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "cardiomegaly": ("cardiomegaly", "an enlarged heart", "enlarged cardiac silhouette", "cardiac enlargement"),
    "pleural effusion": ("pleural effusion", "a pleural effusion", "fluid in the pleural space", "pleural fluid"),
    "effusion": ("pleural effusion", "effusion", "pleural fluid", "fluid in the pleural space"),
    "pneumothorax": ("pneumothorax", "a pneumothorax", "a collapsed lung", "air in the pleural space"),
    "consolidation": ("consolidation", "an area of consolidation", "airspace consolidation", "airspace opacity"),
    "nodule": ("a nodule", "nodule", "a round nodule", "a solitary nodule"),
    "edema": ("edema", "pulmonary edema", "pulmonary oedema", "pulmonary congestion"),
    "fracture": ("a fracture", "fracture", "a broken bone", "a cortical break"),
    "osteoarthritis": ("osteoarthritis", "arthrosis", "degenerative joint disease", "degenerative change"),
    "hemorrhage": (
        "hemorrhage",
        "haemorrhage",
        "intracranial hemorrhage",
        "intracranial haemorrhage",
        "bleeding",
        "a hematoma",
        "a haematoma",
    ),
    "infarct": ("an infarct", "infarct", "infarction", "ischemic stroke", "a stroke", "ischaemic stroke"),
    "mass": ("a mass", "mass", "a tumor", "a space-occupying lesion", "tumour"),
    "ground-glass opacity": ("ground-glass opacity", "ground glass opacities", "ground-glass", "hazy opacities"),
    "emphysema": ("emphysema", "emphysematous change", "emphysematous lungs", "bullae"),
    "liver lesion": ("a liver lesion", "liver lesion", "a focal liver lesion", "a hepatic lesion", "a liver mass"),
    "kidney stone": (
        "a kidney stone",
        "kidney stone",
        "a renal stone",
        "nephrolithiasis",
        "a renal calculus",
        "a stone",
    ),
    "renal cyst": (
        "a renal cyst",
        "renal cyst",
        "a kidney cyst",
        "a cyst of the kidney",
        "a simple renal cyst",
        "a cyst",
    ),
    "ascites": ("ascites", "free fluid", "free abdominal fluid", "peritoneal fluid"),
    "glioma": ("glioma", "a glioma", "a glial tumor", "an infiltrating glial tumour", "glioblastoma"),
    "meningioma": ("meningioma", "a meningioma", "a dural-based tumor", "an extra-axial tumour"),
    "pituitary tumor": (
        "a pituitary tumor",
        "pituitary tumor",
        "pituitary tumour",
        "pituitary adenoma",
        "a sellar mass",
    ),
    "multiple sclerosis": (
        "multiple sclerosis",
        "MS lesions",
        "demyelinating lesions",
        "demyelination",
        "multiple sclerosis plaques",
    ),
    "meniscal tear": ("a meniscal tear", "meniscal tear", "a torn meniscus", "a tear of the meniscus"),
    "joint effusion": ("a joint effusion", "joint effusion", "fluid in the joint", "intra-articular fluid"),
    "disc herniation": (
        "disc herniation",
        "a disc herniation",
        "a herniated disc",
        "a disc protrusion",
        "disk herniation",
    ),
    "compression fracture": (
        "a compression fracture",
        "compression fracture",
        "a vertebral fracture",
        "vertebral collapse",
    ),
    "malignant tumor": (
        "a malignant tumor",
        "malignant tumor",
        "cancer",
        "a malignant mass",
        "carcinoma",
        "malignancy",
    ),
    "benign tumor": ("a benign tumor", "benign tumor", "a benign mass", "a benign lesion", "fibroadenoma"),
    "steatosis": ("steatosis", "fatty liver", "hepatic steatosis", "fatty infiltration"),
    "liver cyst": ("a liver cyst", "liver cyst", "a hepatic cyst", "a simple cyst of the liver", "a cyst"),
    "liver metastases": ("liver metastases", "metastases", "hepatic metastases", "metastatic disease"),
    "hydronephrosis": ("hydronephrosis", "a dilated collecting system", "a dilated renal pelvis", "obstruction"),
    "gallstones": ("gallstones", "a gallstone", "cholelithiasis", "gallbladder stones", "stones"),
    "B-lines": ("B-lines", "B lines", "comet-tail artifacts", "interstitial syndrome"),
    "pneumonia": ("pneumonia", "pulmonary infection", "infectious pneumonia", "pneumonic infiltrate"),
    "COVID-19 pneumonia": ("COVID-19 pneumonia", "COVID-19", "COVID pneumonia", "coronavirus pneumonia"),
    "viral pneumonia": ("viral pneumonia", "viral lung infection"),
    "bacterial pneumonia": ("bacterial pneumonia", "bacterial lung infection"),
    "atelectasis": ("atelectasis", "atelectatic change", "volume loss"),
    "infiltration": ("infiltration", "an infiltrate", "pulmonary infiltrate", "infiltrates"),
    "fibrosis": ("fibrosis", "pulmonary fibrosis", "fibrotic change", "scarring"),
    "hernia": ("a hernia", "hernia", "hiatal hernia", "diaphragmatic hernia"),
    "pleural thickening": ("pleural thickening", "thickened pleura"),
}

NORMAL: Final = (
    "no abnormality",
    "normal findings",
    "no pathological finding",
    "no acute abnormality",
    "an unremarkable appearance",
    "no evidence of disease",
)


def of(words: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The ways to say ``name``; itself where no other is known.

    Example:
        >>> of(ANATOMIES, "elbow"), of(ANATOMIES, "knee")
        (('elbow',), ('knee', 'knee joint'))
    """
    return words.get(name, (name,))
