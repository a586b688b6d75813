"""What stays in memory when pages are switched and queries asked, hundreds of times.

Usage: python -m benchmarks.page_switches NAME [--encoder ENC] [--switches 200] [--every 20]

NAME is a collection of the data folder (``RADCBIR_DATA``) with embeddings at least, such as one of ``synthesize``. The
app's own script runs in this process, page after page, as for one person who looks at all of them in turn; on
Retrieval each time another image is the query. The first round over all pages loads libraries and opens what is kept;
growth is counted from its end. Prints the memory in use (not what was in use at most) every so many switches, what it
has grown by, and the processor's seconds that the first and the median later drawing of each page took.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from benchmarks.measuring import say
from radcbir_core.collections.collection import open_collection

APP = Path(__file__).resolve().parents[1] / "app.py"
PAGES = ("", "retrieval", "pathology", "failures", "map", "compare", "collections", "review")


def in_use() -> float:
    """MiB of memory of the process's own: what is mapped from files is the system's, which takes it back at will."""
    gc.collect()
    resident, shared = map(int, Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3])
    return (resident - shared) * 4096 / 2**20


def main() -> None:
    """Switch, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--encoder")
    parser.add_argument("--switches", type=int, default=200)
    parser.add_argument("--every", type=int, default=20)
    options = parser.parse_args()
    collection = open_collection(options.name)
    encoder_id = options.encoder or collection.encoder_ids()[0]
    rows = np.random.default_rng(0).permutation(len(collection))
    asked = collection.manifest.rows(rows[: options.switches + len(PAGES)], ["image_id"])["image_id"].tolist()
    del collection
    at = AppTest.from_file(str(APP), default_timeout=900)
    taken: dict[str, list[float]] = defaultdict(list)
    begin = 0.0
    for number in range(options.switches + len(PAGES)):
        page = PAGES[number % len(PAGES)]
        at.switch_page(f"pages/{page}.py" if page else "app.py")
        for name in list(at.query_params):
            del at.query_params[name]
        at.query_params.update({"collection": options.name, "encoder": encoder_id})
        if page == "retrieval":
            at.query_params["image"] = asked[number]
        start = time.process_time()
        at.run()
        taken[page or "home"].append(time.process_time() - start)
        if at.exception:
            raise RuntimeError(f"{page or 'home'}: {at.exception[0].message}")
        if number + 1 == len(PAGES):
            begin = in_use()
            print(f"{options.name} with {encoder_id}: {begin:,.0f} MiB after the first round", flush=True)
        elif number >= len(PAGES) and (number + 1 - len(PAGES)) % options.every == 0:
            print(f"{number + 1 - len(PAGES):6,} switches: {in_use() - begin:+8.1f} MiB", flush=True)
    say(f"memory after {options.switches:,} switches, more", max(0.0, in_use() - begin), "MiB", limit=100)
    for page, seconds in taken.items():
        more = f"then {np.median(seconds[1:]):.3f}, of the processor"
        say(f"{page}, first", seconds[0], "s", limit=2 if page == "home" else None, more=more)


if __name__ == "__main__":
    main()
