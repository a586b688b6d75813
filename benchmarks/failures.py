"""How soon the views of failures appear: the processor's seconds of their work, with results kept and not.

Usage: python -m benchmarks.failures NAME [--encoder ENC] [--rounds 3] [--view confusion …]

NAME is a collection of the data folder (``RADCBIR_DATA``) that is built with ENC: real images, or those that
``python -m radcbir_core synthesize`` draws. Each view of the page Failures, and Leakage and Subgroups of Pathology, is
drawn by the app's own script in this process, as a person sees it first and, where something can be opened in it, with
that open. "Kept" is the drawing of a page whose result is on disk and whose collection is in memory; "not kept" is
that together with computing the result. Prints the quickest of the rounds, in seconds of the processor, which others
who use the machine change least, and on the clock, and each computation as a ratio to Precision, which reads the same
graph. A view whose evaluation cannot be computed here (Robustness needs images and their encoder) is named.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation import evaluation_on
from radcbir_core.evaluation.evaluation import Evaluation, Result

APP = Path(__file__).resolve().parents[1] / "app.py"


@dataclass(frozen=True)
class View:
    """A view to look at.

    Attributes:
        page: Its page.
        name: In the URL.
        kind: Of its evaluation.
        choices: Of that.
        opened: From a result, the URL parameters that open something in it.
    """

    page: str
    name: str
    kind: str
    choices: Mapping[str, Any]
    opened: Callable[[Result], Mapping[str, str]] | None = None


def _cell(result: Result) -> dict[str, str]:
    table = result.table
    wrong = table[table["label"] != table["hit_label"]] if "hit_label" in table else table
    row = wrong.iloc[0]
    return {"label": str(row["label"]), "hit": str(row["hit_label"] if "hit_label" in wrong else row.iloc[1])}


VIEWS = (
    View("failures", "confusion", "confusion", {}, _cell),
    View("failures", "mined", "failures", {}, lambda _: {"kind": "pathology", "page": "2"}),
    View("failures", "slices", "slices", {}),
    View("failures", "hubness", "hubness", {}),
    View("failures", "robustness", "robustness", {}),
    View("failures", "near-duplicates", "near-duplicates", {}),
    View("pathology", "leakage", "leakage", {}),
    View("pathology", "subgroups", "subgroups", {"column": "view"}),
)


def drawn(view: View, name: str, encoder_id: str, opened: Mapping[str, str]) -> AppTest:
    """A view as it is first drawn, from app.py on."""
    at = AppTest.from_file(str(APP), default_timeout=600)
    at.query_params.update({"collection": name, "encoder": encoder_id})
    at.run()
    at.switch_page(f"pages/{view.page}.py")
    chosen = {**view.choices, **opened}
    for key, value in {"collection": name, "encoder": encoder_id, "view": view.name, **chosen}.items():
        at.query_params[key] = value
    at.run()
    if at.exception:
        raise RuntimeError(f"{view.name}: {at.exception[0].message}")
    return at


def made_anew(evaluation: Evaluation, store: EncoderStore) -> None:
    """Compute an evaluation and keep it, as a page does that finds nothing kept."""
    shutil.rmtree(evaluation.folder(store), ignore_errors=True)
    evaluation.run(store)


def quickest(work: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Seconds of the processor and on the clock, of the quickest round."""
    taken = []
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        work()
        taken.append((time.process_time() - began[0], time.perf_counter() - began[1]))
    return min(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--encoder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--view", action="append")
    options = parser.parse_args()
    collection = open_collection(options.name)
    encoder_id = options.encoder or collection.encoder_ids()[0]
    store = collection.store(encoder_id)
    collection.manifest.labels("label")  # read once a process, whatever is evaluated
    peer = quickest(lambda: evaluation_on(store, "precision").compute(store), options.rounds)[0]
    print(f"{options.name} with {encoder_id}, {len(collection):,} images; precision: {peer:.2f} s of the processor")
    print("view                    not kept          kept   of it computing (clock), ratio to precision")
    for view in VIEWS:
        if options.view and view.name not in options.view:
            continue
        evaluation: Evaluation = evaluation_on(store, view.kind, **view.choices)
        try:
            evaluation.check(store)
        except RadcbirError as error:
            print(f"{view.name:<20} cannot be computed: {error}")
            continue
        rounds = 1 if view.kind == "robustness" else options.rounds
        computing = quickest(lambda made=evaluation: made_anew(made, store), rounds)
        result = evaluation.run(store)
        for opened in ({}, *([view.opened(result)] if view.opened else [])):
            at = drawn(view, options.name, encoder_id, opened)
            shown, clock = quickest(at.run, options.rounds)
            words = f"{view.name}{', opened' if opened else ''}"
            print(
                f"{words:<20} {shown + computing[0]:7.2f} s ({clock + computing[1]:.2f}) {shown:5.2f} s ({clock:.2f})  "
                f"{computing[0]:.2f} s ({computing[1]:.2f}), {computing[0] / peer:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
