"""Which images radcbir-mini was trained on, found again from its recipe, as the list that its kit carries.

Usage: python -m benchmarks.mini_training_list COLLECTION… [--encoder data/encoders/radcbir-mini] [--check]

The collections are those of ``train-mini``. Which side an image is on follows from its split, its patient and its
pixels alone (``radcbir_core.synthetic.mini.examples``). The numbers of images of each source and label must be those
that ``training.json`` recorded when the encoder was trained, on either side; else nothing is written. The weights are
not touched; with ``--check`` nothing is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.kits.kit_json import KIT, check_kit
from radcbir_core.encoders.kits.training_list import KEY, LIST
from radcbir_core.storage import atomic_bytes, digest_file
from radcbir_core.synthetic.mini.examples import Examples, load_examples
from radcbir_core.synthetic.mini.making import PHANTOMS, data_list, training_list_of


def differences(examples: Examples, folder: Path) -> list[str]:
    """Sources and labels whose numbers of images are not those that were recorded."""
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    then, now = (
        {
            (line["source"], line["label"]): (line["trained_on"], line["validated_on"])
            for line in lines
            if not line["source"].startswith(PHANTOMS)
        }
        for lines in (record["images"], data_list(examples))
    )
    return [
        f"{key}: {then.get(key)} then, {now.get(key)} now"
        for key in sorted({*then, *now})
        if then.get(key) != now.get(key)
    ]


def main() -> None:
    """Parse, find, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--encoder", type=Path, default=Path("data/encoders/radcbir-mini"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "radcbir-mini-cache")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    examples = load_examples([open_collection(name) for name in asked.collections], cache=asked.cache)
    if other := differences(examples, asked.encoder):
        sys.exit("\n".join(["These are not the images that it was trained on:", *other]))
    content = training_list_of(examples)
    path = asked.encoder / LIST
    if asked.check:
        sys.exit(0 if path.read_bytes() == content else f"{path} is another list.")
    atomic_bytes(path, content)
    record = json.loads((asked.encoder / KIT).read_text(encoding="utf-8"))
    files = {name: digest_file(asked.encoder / name) for name in sorted({*record["files"], LIST})}
    record = {**record, KEY: LIST, "files": files}
    atomic_bytes(asked.encoder / KIT, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    check_kit(asked.encoder)
    print(f"{int((~examples.validation).sum()):,} images were trained on: {path}, {len(content):,} bytes")


if __name__ == "__main__":
    main()
