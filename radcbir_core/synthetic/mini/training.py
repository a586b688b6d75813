"""The training of radcbir-mini: schedule, steps, checkpoints, log.

Owns the loop. Stopped or killed, it goes on at its last checkpoint: a step's batch follows from the seed and its number
alone. What is exported is the running mean of the weights.

In training a batch norm divides by the spread of the batch, which a rare kind of image widens for itself; in use it
divides by the running mean of these spreads, and the same image comes out larger, in one norm after the other. So the
last steps are taken with the statistics that will be used: the network learns to do with them.
"""

from __future__ import annotations

import hashlib
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import EncoderError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_bytes, atomic_path
from radcbir_core.synthetic.mini import losses
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.batches import Batch, Batches
from radcbir_core.synthetic.mini.examples import Examples
from radcbir_core.synthetic.mini.network import APPEARANCE, PREPROCESSING, SHARED, new_model, tokenizer
from radcbir_core.synthetic.mini.training_views import Views

if TYPE_CHECKING:
    import torch

AHEAD = 3
"""Batches that are prepared while the network works."""

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True, kw_only=True)
class Round:
    """A part of the training in which the learning rate rises and falls once.

    Attributes:
        steps: How many.
        side: Of the images that the network is shown, in pixels; smaller ones are learned from more quickly.
        learning_rate: The highest in it.
        findings_weight: How much more often than others those kinds of real images come whose findings differ.
    """

    steps: int
    side: int = SIDE
    learning_rate: float = 2e-3
    findings_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides the weights beside the data.

    Attributes:
        seed: Of everything random.
        rounds: One after the other.
        images: A step's, with labels and sentences.
        of_kind: Images of one modality and anatomy in a step.
        pictures: A step's pictures of nothing, of which only the appearance is learned.
        warm_up: Steps at the beginning of each round over which the learning rate rises; then it falls as a cosine to a
            hundredth.
        weight_decay: Of matrices; not of biases, norms and scales.
        mean_decay: Of the running mean of the weights, once it has run in.
        text_weight: Of the loss that brings sentences and images that fit together.
        anchor_weight: Of the loss that brings an image near the anchor of its label.
        detail_weight: Of the loss that tells images of one modality and anatomy apart by their labels.
        label_weight: Of the loss that brings images of one label together.
        kind_weight: Of the loss that brings images of one modality and anatomy together.
        appearance_weight: Of the imitation of what the teachers see.
        likeness_weight: Of the loss that brings images as near to each other as the teachers have them.
        appearance_share: Norm of an embedding's appearance in units of its part that is shared with sentences.
        settled_share: Part of the last round, at its end, in which batch norms keep their statistics.
        unknown_words: Share of words that are replaced by ones that are never trained, so that an unknown word in a
            query says nothing.
    """

    seed: int = 7
    rounds: tuple[Round, ...] = (
        Round(steps=7000, side=112),
        Round(steps=4000, findings_weight=2.0, learning_rate=1e-3),
    )
    images: int = 64
    of_kind: int = 16
    pictures: int = 32
    warm_up: int = 300
    weight_decay: float = 0.05
    mean_decay: float = 0.998
    text_weight: float = 1.0
    anchor_weight: float = 1.0
    detail_weight: float = 0.5
    label_weight: float = 0.3
    kind_weight: float = 0.2
    appearance_weight: float = 3.0
    likeness_weight: float = 3.0
    appearance_share: float = 2.0
    settled_share: float = 0.15
    unknown_words: float = 0.04

    @property
    def steps(self) -> int:
        """Of all rounds."""
        return sum(part.steps for part in self.rounds)

    def at(self, step: int) -> tuple[Round, int]:
        """The round of a step, and the first step of that round.

        Example:
            >>> recipe = Recipe(rounds=(Round(steps=2), Round(steps=3, side=96)))
            >>> [recipe.at(step)[1] for step in range(5)]
            [0, 0, 2, 2, 2]
        """
        first = 0
        for part in self.rounds:
            if step < first + part.steps:
                return part, first
            first += part.steps
        raise ValueError(f"Expected a step below {self.steps}, but step = {step}.")

    def settled(self, step: int) -> bool:
        """Whether batch norms keep their statistics in a step.

        Example:
            >>> recipe = Recipe(rounds=(Round(steps=100), Round(steps=20)), settled_share=0.1)
            >>> [step for step in range(120) if recipe.settled(step)]
            [118, 119]
        """
        return self.steps - step <= int(self.rounds[-1].steps * self.settled_share)

    def scaled(self, steps: int) -> Recipe:
        """The same in so many steps: each round keeps its part, and at least one step.

        Example:
            >>> recipe = Recipe(rounds=(Round(steps=40), Round(steps=20)))
            >>> [part.steps for part in recipe.scaled(6).rounds]
            [4, 2]
        """
        whole = self.steps
        rounds = tuple(replace(part, steps=max(1, round(part.steps * steps / whole))) for part in self.rounds)
        return replace(self, rounds=rounds, warm_up=min(self.warm_up, max(1, steps // 20)))


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON can hold it."""
    facts = asdict(recipe)
    return {**facts, "rounds": list(facts["rounds"])}


@dataclass
class _Ready:
    """One step's inputs: the batch's images first, then pictures of nothing."""

    batch: Batch
    images: torch.Tensor
    tokens: torch.Tensor
    appearances: torch.Tensor


def train(
    examples: Examples,
    recipe: Recipe,
    *,
    views: Views,
    folder: Path,
    appearances: npt.NDArray[np.float16] | None = None,
    device: str = "cpu",
    checkpoint_every: int = 500,
    progress: Progress = silent,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, torch.Tensor]:
    """Train from scratch, or from the checkpoint in ``folder``.

    Args:
        examples: Images with their labels and sides.
        recipe: See there.
        views: What the network is shown of them.
        folder: For the checkpoint and ``log.jsonl``; made if missing.
        appearances: (V, 256) what the teachers see in the views; None without teachers.
        device: Where the network works.
        checkpoint_every: Steps.
        progress: Told the number of steps, as step "train".
        told: Given each line of the log.

    Returns:
        The running mean of the weights, as the encoder is exported.

    Raises:
        EncoderError: The checkpoint is of another recipe or other data, or the numbers are no longer finite.
        StorageError: No space left, or no permission.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    work = _Work(examples, recipe, views=views, appearances=appearances, device=device)
    checkpoint = folder / CHECKPOINT
    start = work.resume(checkpoint) if checkpoint.is_file() else 0
    _cut_log(folder / LOG, after=start)
    started, since = time.monotonic(), start
    sums: dict[str, float] = {}
    with (folder / LOG).open("a", encoding="utf-8") as log:
        for step, ready in _prepared(work, start, recipe.steps):
            for name, value in work.step(step, ready).items():
                sums[name] = sums.get(name, 0.0) + value
            done = step + 1
            progress("train", done, recipe.steps)
            if done % 100 == 0 or done == recipe.steps:
                seconds = time.monotonic() - started
                line: dict[str, Any] = {
                    "step": done,
                    "images_per_second": round((done - since) * (recipe.images + recipe.pictures) / seconds, 1),
                    **{name: round(value / (done - since), 4) for name, value in sums.items()},
                }
                if not all(math.isfinite(value) for value in sums.values()):
                    raise EncoderError(
                        f"Expected finite losses, but at step {done} they are {line}. Lower the learning rate."
                    )
                log.write(json.dumps(line) + "\n")
                log.flush()
                told(line)
                sums, started, since = {}, time.monotonic(), done
            if done % checkpoint_every == 0 or done == recipe.steps:
                work.save(checkpoint, done)
    return work.mean_weights()


class _Work:
    """The network and all that changes while it is trained."""

    def __init__(
        self,
        examples: Examples,
        recipe: Recipe,
        *,
        views: Views,
        appearances: npt.NDArray[np.float16] | None,
        device: str,
    ) -> None:
        import torch
        from torch import nn

        self.recipe, self.device = recipe, device
        self.batches = Batches(examples, images=recipe.images, of_kind=recipe.of_kind)
        self._views, self._appearances = views, appearances
        self._pictures = views.pictures
        self._tokenizer = tokenizer()
        model = new_model()
        model.visual.to(memory_format=torch.channels_last)
        self.model = model.to(device).train()
        self._anchors = nn.Parameter(torch.randn(len(self.batches.labels), SHARED, device=device))
        self._optimizer = torch.optim.AdamW(self._groups(), betas=(0.9, 0.98))
        self._mean = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self._used = torch.zeros(model.text.vocab_size, dtype=torch.bool)
        # Stand for words that no sentence holds.
        self._strangers = np.asarray(_strangers(self._tokenizer), dtype=np.int64)
        self._facts = {
            "recipe": recipe_facts(recipe),
            "views": views.digest,
            "trained_on": int((~examples.validation).sum()),
            "appearances": "" if appearances is None else hashlib.sha256(appearances.tobytes()).hexdigest(),
        }

    def _groups(self) -> list[dict[str, Any]]:
        named = list(self.model.named_parameters())
        return [
            {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": self.recipe.weight_decay},
            {"params": [self._anchors, *(p for _, p in named if p.ndim < 2)], "weight_decay": 0.0},
        ]

    def ready(self, step: int) -> _Ready:
        """The inputs of one step."""
        import torch
        from torch.nn import functional

        generator = np.random.default_rng([self.recipe.seed, step])
        part, _ = self.recipe.at(step)
        batch = self.batches.draw(generator, findings_weight=part.findings_weight)
        tokens = self._tokenizer(batch.texts)
        known = tokens != 0
        replaced = known & torch.from_numpy(generator.random(tokens.shape) < self.recipe.unknown_words)
        replaced &= tokens < self.model.text.vocab_size - 2
        strangers = torch.from_numpy(generator.choice(self._strangers, tokens.shape))
        tokens = torch.where(replaced, strangers, tokens)
        shown = self._views.one_of_each(batch.rows, generator)
        if len(self._pictures) and self.recipe.pictures:
            shown = np.concatenate([shown, generator.choice(self._pictures, self.recipe.pictures)])
        images = torch.from_numpy(self._views.pixels[shown]).float()[:, None] / 255
        # Teachers see nearly the same in a mirror.
        mirrored = torch.from_numpy(generator.random(len(shown)) < 0.5)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if part.side != SIDE:
            images = functional.interpolate(
                images, size=(part.side, part.side), mode="bilinear", antialias=True, align_corners=False
            )
        wanted = np.zeros((len(shown), APPEARANCE), np.float32)
        if self._appearances is not None:
            wanted = self._appearances[shown].astype(np.float32)
        return _Ready(batch, images, tokens, torch.from_numpy(wanted))

    def step(self, step: int, ready: _Ready) -> dict[str, float]:
        """One update; the losses."""
        import torch
        from torch.nn import functional

        r, model, batch = self.recipe, self.model, ready.batch
        if r.settled(step):
            self._settle()
        rate = _rate(step, r)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        mean, deviation = PREPROCESSING["mean"][0], PREPROCESSING["std"][0]
        inputs = ((ready.images.to(self.device) - mean) / deviation).expand(-1, 3, -1, -1)
        trunk = model.visual.trunk
        given = trunk(inputs.contiguous(memory_format=torch.channels_last))
        shared, appearance = given.split([SHARED, APPEARANCE], dim=1)
        labeled = shared[: len(batch.rows)]
        images = functional.normalize(labeled, dim=1)
        # Sentences meet embeddings as they are exported: of norm 1 as a whole.
        whole = given[: len(batch.rows)].norm(dim=1, keepdim=True).clamp(min=1e-6)
        met = labeled / whole * math.sqrt(1 + r.appearance_share**2)
        texts = functional.normalize(model.encode_text(ready.tokens.to(self.device))[:, :SHARED], dim=1)

        def on(array: npt.NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(self.device)

        unlabeled, kind = on(batch.unlabeled), on(batch.same_kind)
        unsaid = unlabeled[:, None] | unlabeled[None, :]
        alike = on(batch.same_findings)
        wanted = ready.appearances.to(self.device)
        parts = {
            "text": losses.text_image_loss(
                met, texts, model.logit_scale.exp(), true_of=on(batch.true_of), open_for=on(batch.open_for)
            ),
            "anchor": losses.anchor_loss(
                images,
                functional.normalize(self._anchors, dim=1),
                shows=on(batch.shows),
                possible=on(batch.possible),
            ),
            "detail": losses.image_image_loss(images, alike=alike, ignored=~kind | unsaid),
            "label": losses.image_image_loss(images, alike=alike, ignored=kind & unsaid),
            "kind": losses.image_image_loss(images, alike=kind.float(), ignored=torch.zeros_like(kind)),
            "appearance": losses.imitation_loss(appearance, wanted),
            "likeness": losses.likeness_loss(functional.normalize(appearance, dim=1), wanted),
            "balance": losses.balance_loss(shared, appearance, share=r.appearance_share),
        }
        weights = {
            "text": r.text_weight,
            "anchor": r.anchor_weight,
            "detail": r.detail_weight,
            "label": r.label_weight,
            "kind": r.kind_weight,
            "appearance": r.appearance_weight,
            "likeness": r.likeness_weight,
            "balance": 1.0,
        }
        loss = torch.stack([weights[name] * value for name, value in parts.items()]).sum()
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        self._optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
            self._used[torch.unique(ready.tokens)] = True
            self._follow(step)
        return {name: float(value.detach()) for name, value in parts.items()}

    def _settle(self) -> None:
        """Give batch norms the mean of their statistics, and let them keep it; done again, it changes nothing."""
        from torch import nn

        for name, module in self.model.named_modules():
            if isinstance(module, nn.BatchNorm2d) and module.training:
                module.eval()
                for part in ("running_mean", "running_var"):
                    getattr(module, part).copy_(self._mean[f"{name}.{part}"])

    def _follow(self, step: int) -> None:
        """Move the running mean; in the beginning it follows quickly."""
        decay = min(self.recipe.mean_decay, (1 + step) / (10 + step))
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                self._mean[name].lerp_(tensor, 1 - decay)
            else:
                self._mean[name].copy_(tensor)

    def mean_weights(self) -> dict[str, torch.Tensor]:
        """The running mean, with words that were never seen saying nothing."""
        import torch

        weights = {name: tensor.detach().cpu().clone() for name, tensor in self._mean.items()}
        table = weights["text.token_embedding.weight"]
        strangers = torch.from_numpy(self._strangers)
        trained = self._used.clone()
        trained[strangers] = False
        # Strangers stood for every unknown word in training: all unknown words are their mean.
        table[~trained] = table[strangers].mean(dim=0)
        return weights

    def save(self, path: Path, done: int) -> None:
        """Write all that is needed to go on."""
        import torch

        state = {
            "facts": json.dumps(self._facts),
            "done": done,
            "model": self.model.state_dict(),
            "anchors": self._anchors.detach(),
            "optimizer": self._optimizer.state_dict(),
            "mean": self._mean,
            "used": self._used,
        }
        with atomic_path(path) as partial:
            torch.save(state, partial)

    def resume(self, path: Path) -> int:
        """Go on from a checkpoint; the number of steps that are done."""
        import torch

        state = torch.load(path, map_location=self.device, weights_only=True)
        if json.loads(state["facts"]) != self._facts:
            raise EncoderError(
                f"Expected a checkpoint of this recipe and these images, but {path} was made with {state['facts']}. "
                "Delete it, or name another folder."
            )
        self.model.load_state_dict(state["model"])
        with torch.no_grad():
            self._anchors.copy_(state["anchors"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._mean = {name: tensor.to(self.device) for name, tensor in state["mean"].items()}
        self._used = state["used"].cpu()
        return int(state["done"])


def _cut_log(path: Path, *, after: int) -> None:
    """Take out the lines of steps that are taken again."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        atomic_bytes(path, "".join(line for line in lines if json.loads(line)["step"] <= after).encode())


def _strangers(reader: Any) -> list[int]:
    """A few hundred words of the tokenizer that no sentence about images holds, to stand for unknown ones."""
    # Whole words of the vocabulary end in "</w>"; those in other scripts than Latin are in no sentence of ours.
    numbers = [
        number
        for word, number in reader.encoder.items()
        if word.endswith("</w>") and len(word) > 6 and any(ord(letter) > 300 for letter in word[:-4])
    ]
    return sorted(numbers)[:300]


def _rate(step: int, recipe: Recipe) -> float:
    part, first = recipe.at(step)
    step, steps = step - first, part.steps
    if step < recipe.warm_up:
        return part.learning_rate * (step + 1) / recipe.warm_up
    along = (step - recipe.warm_up) / max(1, steps - recipe.warm_up)
    return part.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


def _prepared(work: _Work, start: int, end: int) -> Iterator[tuple[int, _Ready]]:
    """The inputs of each step, a few prepared ahead by a thread of their own."""
    waiting: queue.Queue[tuple[int, _Ready | BaseException]] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: tuple[int, _Ready | BaseException]) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

    def prepare() -> None:
        for step in range(start, end):
            if stopped.is_set():
                return
            try:
                put((step, work.ready(step)))
            except BaseException as error:  # noqa: BLE001 - it is raised where the steps are taken
                put((step, error))
                return

    thread = threading.Thread(target=prepare, name="prepare", daemon=True)
    thread.start()
    try:
        for _ in range(start, end):
            step, ready = waiting.get()
            if isinstance(ready, BaseException):
                raise ready
            yield step, ready
    finally:
        stopped.set()
        thread.join()
