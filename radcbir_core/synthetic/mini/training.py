"""The training of radcbir-mini: schedule, steps, checkpoints, log.

Owns the loop. Stopped or killed, it goes on at its last checkpoint: a step's batch follows from the seed and its number
alone. What is exported is the running mean of the weights.

In training a batch norm divides by the spread of the batch, which a rare kind of image widens for itself; in use it
divides by the running mean of these spreads, and the same image comes out larger, in one norm after the other. So the
last steps are taken with the statistics that will be used: the network learns to do with them.
"""

from __future__ import annotations

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
from radcbir_core.synthetic.mini.augment import augment
from radcbir_core.synthetic.mini.batches import Batch, Batches
from radcbir_core.synthetic.mini.examples import Examples
from radcbir_core.synthetic.mini.network import GRAIN, PREPROCESSING, SHARED, new_model, tokenizer
from radcbir_core.synthetic.mini.spectrum import scale_of
from radcbir_core.synthetic.mini.teacher import APPEARANCE, Taught

if TYPE_CHECKING:
    import torch

AHEAD = 3
"""Batches that are prepared while the network works."""

_MEASURED = 4096

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True, kw_only=True)
class Round:
    """A part of the training in which the learning rate rises and falls once.

    Attributes:
        steps: How many.
        strength: Of the augmentation.
        findings_weight: How much more often than others those kinds of real images come whose findings differ.
        likeness_weight: Of the loss that brings images of one kind as near as the teacher has them.
        views: Whether real images come in the views that the teacher saw, with what it saw there.
        appearance_weight: Of the imitation of what the teacher sees in images of one kind, more than in others.
        grain_weight: Of the telling of power by spatial frequency, in the dimensions of the grain.
    """

    steps: int
    strength: float = 1.0
    findings_weight: float = 1.0
    likeness_weight: float = 0.0
    views: bool = False
    appearance_weight: float = 0.0
    grain_weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides the weights beside the data.

    Attributes:
        seed: Of everything random.
        rounds: One after the other. The second changes images less, because small findings do not survive strong
            changes; the third, where there is a teacher, imitates it closely: its view of real images tells more of
            findings that are rare, or have no label here, than few labels do. The fourth, the longest, imitates it in
            another way, and adds power by spatial frequency, in dimensions of its own, so that neither losses nor
            sentences of findings pull on them.
        images: A step's.
        of_kind: Images of one modality and anatomy in a step.
        learning_rate: The highest; rises over ``warm_up`` steps and falls as a cosine to a hundredth, in each round.
        warm_up: Steps at the beginning of each round.
        weight_decay: Of matrices; not of biases, norms and scales.
        mean_decay: Of the running mean of the weights, once it has run in.
        anchor_weight: Of the loss that brings an image near the anchor of its label.
        detail_weight: Of the loss that tells images of one modality and anatomy apart by their labels.
        label_weight: Of the loss that brings images of one label together.
        kind_weight: Of the loss that brings images of one modality and anatomy together.
        teacher_weight: Of the imitation of the teacher.
        grain_share: Norm of an embedding's grain in units of its part that is shared with sentences.
        settled_share: Part of the last round, at its end, in which batch norms keep their statistics.
        unknown_words: Share of words that are replaced by ones that are never trained, so that an unknown word in a
            query says nothing.
    """

    seed: int = 7
    rounds: tuple[Round, ...] = (
        Round(steps=6000),
        Round(steps=7500, strength=0.5),
        Round(steps=4500, strength=0.5, findings_weight=3.0, likeness_weight=1.0, views=True),
        Round(steps=12000, strength=0.5, findings_weight=3.0, views=True, appearance_weight=2.0, grain_weight=1.0),
    )
    images: int = 64
    of_kind: int = 16
    learning_rate: float = 2e-3
    warm_up: int = 300
    weight_decay: float = 0.05
    mean_decay: float = 0.998
    anchor_weight: float = 1.0
    detail_weight: float = 0.5
    label_weight: float = 0.3
    kind_weight: float = 0.2
    teacher_weight: float = 1.0
    grain_share: float = 0.25
    settled_share: float = 0.15
    unknown_words: float = 0.04

    @property
    def steps(self) -> int:
        """Of all rounds."""
        return sum(part.steps for part in self.rounds)

    def at(self, step: int) -> tuple[Round, int]:
        """The round of a step, and the first step of that round.

        Example:
            >>> recipe = Recipe(rounds=(Round(steps=2), Round(steps=3, strength=0.5)))
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

    def shortened(self, steps: int) -> Recipe:
        """The same with so many steps at most; what is cut off are the last ones.

        Example:
            >>> [part.steps for part in Recipe(rounds=(Round(steps=4), Round(steps=4))).shortened(6).rounds]
            [4, 2]
        """
        rounds, left = [], steps
        for part in self.rounds:
            if left > 0:
                rounds.append(replace(part, steps=min(part.steps, left)))
                left -= part.steps
        return replace(self, rounds=tuple(rounds))


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON can hold it."""
    facts = asdict(recipe)
    return {**facts, "rounds": list(facts["rounds"])}


@dataclass
class _Ready:
    """One step's inputs."""

    batch: Batch
    images: torch.Tensor
    tokens: torch.Tensor
    features: npt.NDArray[np.float16] | None
    details: npt.NDArray[np.float16] | None
    appearances: npt.NDArray[np.float16] | None
    grain: torch.Tensor


def train(
    examples: Examples,
    recipe: Recipe,
    *,
    folder: Path,
    teacher: Taught | None = None,
    device: str = "cpu",
    checkpoint_every: int = 500,
    progress: Progress = silent,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, torch.Tensor]:
    """Train from scratch, or from the checkpoint in ``folder``.

    Args:
        examples: Images with their labels and sides.
        recipe: See there.
        folder: For the checkpoint and ``log.jsonl``; made if missing.
        teacher: What the teacher sees in the examples.
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
    work = _Work(examples, recipe, teacher=teacher, device=device)
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
                    "images_per_second": round((done - since) * recipe.images / seconds, 1),
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

    def __init__(self, examples: Examples, recipe: Recipe, *, teacher: Taught | None, device: str) -> None:
        import torch
        from torch import nn

        self.recipe, self.device, self.examples = recipe, device, examples
        self.batches = Batches(examples, images=recipe.images, of_kind=recipe.of_kind)
        self._tokenizer = tokenizer()
        model = new_model()
        model.visual.to(memory_format=torch.channels_last)
        self.model = model.to(device).train()
        self._teacher = teacher
        width = model.visual.trunk.classifier.in_features
        self._pupil = nn.Linear(width, 1 if teacher is None else teacher.features.shape[1]).to(device)
        self._look = nn.Linear(width, APPEARANCE).to(device)
        self._anchors = nn.Parameter(torch.randn(len(self.batches.labels), SHARED, device=device))
        self._pixels = torch.from_numpy(examples.pixels)
        self._extents = torch.from_numpy(examples.extents.astype(np.int64))
        # Some thousands of images tell the spread of a few numbers.
        some = np.random.default_rng(recipe.seed).permutation(np.flatnonzero(~examples.validation))[:_MEASURED]
        self._grain_of = scale_of(torch.from_numpy(examples.prepared[some]).float() / 255)
        self._optimizer = torch.optim.AdamW(self._groups(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        self._mean = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self._used = torch.zeros(model.text.vocab_size, dtype=torch.bool)
        # Stand for words that no sentence holds.
        self._strangers = np.asarray(_strangers(self._tokenizer), dtype=np.int64)
        self._facts = {
            "recipe": recipe_facts(recipe),
            "images": len(examples),
            "trained_on": int((~examples.validation).sum()),
            "teacher": teacher is not None,
        }

    def _groups(self) -> list[dict[str, Any]]:
        heads = [*self._pupil.named_parameters(prefix="pupil"), *self._look.named_parameters(prefix="look")]
        named = [*self.model.named_parameters(), *heads]
        return [
            {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": self.recipe.weight_decay},
            {"params": [self._anchors, *(p for _, p in named if p.ndim < 2)], "weight_decay": 0.0},
        ]

    def ready(self, step: int) -> _Ready:
        """The inputs of one step."""
        import torch

        generator = np.random.default_rng([self.recipe.seed, step])
        part, _ = self.recipe.at(step)
        batch = self.batches.draw(generator, findings_weight=part.findings_weight)
        tokens = self._tokenizer(batch.texts)
        known = tokens != 0
        replaced = known & torch.from_numpy(generator.random(tokens.shape) < self.recipe.unknown_words)
        replaced &= tokens < self.model.text.vocab_size - 2
        strangers = torch.from_numpy(generator.choice(self._strangers, tokens.shape))
        torch_generator = torch.Generator().manual_seed(int(generator.integers(2**62)))
        rows = torch.from_numpy(batch.rows)
        images = augment(self._pixels[rows], self._extents[rows], torch_generator, strength=part.strength)
        features = details = appearances = None
        if self._teacher is not None:
            features, details = self._teacher.features[batch.rows], self._teacher.details[batch.rows]
            appearances = self._teacher.appearances[batch.rows]
            if part.views:
                shown = self._teacher.views_of(batch.rows, generator)
                seen = shown >= 0
                images[torch.from_numpy(seen)] = torch.from_numpy(self._teacher.pixels[shown[seen]]).float() / 255
                features[seen] = self._teacher.view_features[shown[seen]]
                details[seen] = self._teacher.view_details[shown[seen]]
                appearances[seen] = self._teacher.view_appearances[shown[seen]]
        tokens = torch.where(replaced, strangers, tokens)
        return _Ready(batch, images, tokens, features, details, appearances, self._grain_of(images))

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
        inputs = ((ready.images.to(self.device) - mean) / deviation)[:, None].expand(-1, 3, -1, -1)
        trunk = model.visual.trunk
        hidden = trunk.forward_head(
            trunk.forward_features(inputs.contiguous(memory_format=torch.channels_last)), pre_logits=True
        )
        given = trunk.classifier(hidden)
        shared, grain = given.split([SHARED, GRAIN], dim=1)
        images = functional.normalize(shared, dim=1)
        texts = functional.normalize(model.encode_text(ready.tokens.to(self.device))[:, :SHARED], dim=1)

        def on(array: npt.NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(self.device)

        unlabeled, kind = on(batch.unlabeled), on(batch.same_kind)
        unsaid = unlabeled[:, None] | unlabeled[None, :]
        parts = {
            "text": losses.text_image_loss(
                images, texts, model.logit_scale.exp(), true_of=on(batch.true_of), open_for=on(batch.open_for)
            ),
            "anchor": losses.anchor_loss(
                images,
                functional.normalize(self._anchors, dim=1),
                shows=on(batch.shows),
                possible=on(batch.possible),
            ),
            "detail": losses.image_image_loss(images, alike=on(batch.same_findings), ignored=~kind | unsaid),
            "label": losses.image_image_loss(images, alike=on(batch.same_findings), ignored=kind & unsaid),
            "kind": losses.image_image_loss(images, alike=kind.float(), ignored=torch.zeros_like(kind)),
        }
        loss = parts["text"] + r.anchor_weight * parts["anchor"] + r.detail_weight * parts["detail"]
        loss = loss + r.label_weight * parts["label"] + r.kind_weight * parts["kind"]
        if ready.features is not None:
            parts["teacher"] = losses.teacher_loss(self._pupil(hidden), on(ready.features).float())
            loss = loss + r.teacher_weight * parts["teacher"]
        if ready.details is not None and (weight := r.at(step)[0].likeness_weight):
            parts["likeness"] = losses.likeness_loss(images, on(ready.details).float(), among=on(batch.same_kind_drawn))
            loss = loss + weight * parts["likeness"]
        if ready.appearances is not None and (weight := r.at(step)[0].appearance_weight):
            parts["appearance"] = losses.teacher_loss(self._look(hidden), on(ready.appearances).float())
            loss = loss + weight * parts["appearance"]
        if weight := r.at(step)[0].grain_weight:
            parts["grain"] = losses.teacher_loss(grain, ready.grain.to(self.device))
            parts["balance"] = losses.balance_loss(shared, grain, share=r.grain_share)
            loss = loss + weight * parts["grain"] + parts["balance"]
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
            "pupil": self._pupil.state_dict(),
            "look": self._look.state_dict(),
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
        self._pupil.load_state_dict(state["pupil"])
        self._look.load_state_dict(state["look"])
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
        return recipe.learning_rate * (step + 1) / recipe.warm_up
    along = (step - recipe.warm_up) / max(1, steps - recipe.warm_up)
    return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


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
