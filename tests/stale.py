"""Making what is built stale, as if something that it was made of had changed."""

from __future__ import annotations

from radcbir_core.collections.artifacts import BY_NAME, EMBEDDINGS, Artifact
from radcbir_core.collections.encoder_data.store import EncoderStore


def outdate(store: EncoderStore, artifact: Artifact = EMBEDDINGS) -> None:
    """Let the record say that an artifact was made of something else than there is now."""
    made = store.record["artifacts"]
    changed = made[artifact.name] | {"of": dict.fromkeys(BY_NAME[artifact.name].of, "something else")}
    store.update(artifacts=made | {artifact.name: changed})


def forget(store: EncoderStore, *artifacts: Artifact) -> None:
    """Let the record know nothing of artifacts, as if they had not been made."""
    names = {artifact.name for artifact in artifacts}
    store.update(artifacts={name: made for name, made in store.record["artifacts"].items() if name not in names})
