"""What is asked of the network in training.

Owns the losses on one batch: sentences and images that fit are near (contrastive, several may fit: UniCL, Yang et al.,
CVPR 2022, arXiv 2204.03610), images of one label are near (supervised contrastive: Khosla et al., NeurIPS 2020, arXiv
2004.11362), an image is near its label's anchor (a learned point; Movshovitz-Attias et al., ICCV 2017, arXiv
1703.07464), the student's features tell what the teacher's do, images of one kind are as near to each other as the
teacher has them, and the parts of an embedding keep their shares of its norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

TEMPERATURE: Final = 0.1
_NEVER = -1e4


def text_image_loss(
    images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, *, true_of: torch.Tensor, open_for: torch.Tensor
) -> torch.Tensor:
    """Mean of both directions of the contrastive loss with all true pairs as targets.

    Args:
        images: (B, D) of norm 1.
        texts: (T, D) of norm 1.
        scale: What similarities are multiplied with.
        true_of: (T, B) bool.
        open_for: (T, B) bool; such pairs are left out.
    """
    logits = (scale * texts @ images.T).masked_fill(open_for, _NEVER)
    return (_soft(logits, true_of.float()) + _soft(logits.T, true_of.T.float())) / 2


def image_image_loss(images: torch.Tensor, *, alike: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss; 0 where nothing in the batch is alike.

    Args:
        images: (B, D) of norm 1.
        alike: (B, B) float, 0 to 1; how much a pair should be near. The diagonal counts for nothing.
        ignored: (B, B) bool; such pairs are left out.
    """
    import torch

    itself = torch.eye(len(images), dtype=torch.bool, device=images.device)
    logits = (images @ images.T / TEMPERATURE).masked_fill(ignored | itself, _NEVER)
    return _soft(logits, alike.masked_fill(ignored | itself, 0))


def anchor_loss(
    images: torch.Tensor, anchors: torch.Tensor, *, shows: torch.Tensor, possible: torch.Tensor
) -> torch.Tensor:
    """Cross entropy of each labeled image over the anchors of the labels that it could have.

    Args:
        images: (B, D) of norm 1.
        anchors: (L, D) of norm 1.
        shows: (B, L) float, the targets; rows of zeros are left out.
        possible: (B, L) bool; other labels are no alternatives.
    """
    logits = (images @ anchors.T / TEMPERATURE).masked_fill(~possible, _NEVER)
    return _soft(logits, shows)


def imitation_loss(predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """1 - cosine of the predicted and the wanted appearances, both (B, A); rows of zeros have none."""
    from torch.nn import functional

    has = wanted.abs().sum(dim=1) > 0
    if not has.any():
        return predicted.sum() * 0
    return 1 - functional.cosine_similarity(predicted[has], wanted[has], dim=1).mean()


def balance_loss(shared: torch.Tensor, further: torch.Tensor, *, share: float) -> torch.Tensor:
    """Mean squared logarithm of how far a part's norm is from its share: it counts alike in all images.

    Args:
        shared: (B, D), as the network gives them.
        further: (B, A), likewise.
        share: Wanted norm of the further part in units of the shared part's.
    """
    import torch

    return torch.log(further.norm(dim=1).clamp(min=1e-6) / (share * shared.norm(dim=1).clamp(min=1e-6))).square().mean()


def likeness_loss(images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean squared difference between the similarities of pairs as the network and as the teachers have them.

    Distillation of relations: Park et al., CVPR 2019, arXiv 1904.05068.

    Args:
        images: (B, A) of norm 1.
        wanted: (B, A) of norm 1, or 0 where the teachers say nothing; pairs with such a row count for nothing.
    """
    has = wanted.abs().sum(dim=1) > 0
    if not has.any():
        return images.sum() * 0
    return (images[has] @ images[has].T - wanted[has] @ wanted[has].T).square().mean()


def _soft(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy with each row's targets scaled to a sum of 1; rows without a target are left out."""
    total = targets.sum(dim=1)
    rows = total > 0
    if not rows.any():
        return logits.sum() * 0
    shares = targets[rows] / total[rows, None]
    return -(shares * logits[rows].log_softmax(dim=1)).sum(dim=1).mean()
