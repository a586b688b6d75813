"""``map``: lay out a map as one wants it, keep it by a name, list and delete those that are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from radcbir_core.cli.application import EncoderOption, Name, app
from radcbir_core.cli.arguments import encoder_id_in
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars, print_table
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.layout import STANDARD_MAP, check_map_name
from radcbir_core.errors import QueryError
from radcbir_core.wording import counted


@app.command("map")
def lay_out_map(
    name: Name,
    encoder: EncoderOption = None,
    kept_as: Annotated[
        str | None, typer.Option("--map", metavar="MAP", help="The map's name; one of that name is replaced.")
    ] = None,
    n_neighbors: Annotated[
        int | None, typer.Option(min=2, max=100, help="Images in a neighborhood: few show detail, many the whole.")
    ] = None,
    min_dist: Annotated[
        float | None, typer.Option(min=0, max=1, help="How close images that are alike may lie.")
    ] = None,
    dimensions: Annotated[int | None, typer.Option(min=2, max=3, help="2, or 3.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Of everything random.")] = None,
    most_drawn: Annotated[
        int | None, typer.Option(min=100, help="Of at most so many images the layout is computed at first.")
    ] = None,
    parallel: Annotated[
        bool | None,
        typer.Option("--all-cores/--one-core", help="On all cores: quicker, and never the same bytes twice."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the map of this name.")] = False,  # noqa: FBT002
) -> None:
    """Lay out a map of a built collection and keep it by its name; without --map, list the maps that there are.

    What is not given is as in the map of that name, or as by default. The map called "standard" is the one that a build
    makes; it can be laid out in another way, and not deleted. A build makes maps again whose neighbors have changed.
    """
    from radcbir_core.projection.map_making import delete_map, laying_out, make_map
    from radcbir_core.projection.map_options import MapOptions

    chosen: dict[str, Any] = {
        "n_neighbors": n_neighbors,
        "min_dist": min_dist,
        "dimensions": dimensions,
        "seed": seed,
        "most_drawn": most_drawn,
        "parallel": parallel,
    }
    chosen = {field: value for field, value in chosen.items() if value is not None}
    if chosen and delete:
        raise QueryError("Expected a map to delete or one to lay out, but both are asked for. Leave --delete away.")
    if kept_as is None and (chosen or delete):
        raise QueryError("Expected the name of a map, but --map is not given. Add --map MAP.")
    collection = open_collection(name)
    encoder_id = encoder_id_in(collection, encoder)
    if kept_as is None:
        _list(collection.store(encoder_id))
        return
    check_map_name(kept_as)
    if delete:
        put_on_record(f"delete map {kept_as}", name)
        delete_map(collection, encoder_id, kept_as)
        print(f"Deleted the map {kept_as} of {name} with {encoder_id}.")
        return
    with collection.building(encoder_id, doing=laying_out(kept_as)):
        store = collection.store(encoder_id)
        put_on_record(f"lay out map {kept_as}", name)
        options = replace(MapOptions.from_json(store.map_facts(kept_as)), **chosen)
        with bars() as progress:
            facts = make_map(store, kept_as, options=options, progress=progress)
        placed = int((store.neighbor_ids[:, :1] >= 0).sum())
    if facts["start"] == "landmarks":
        print("It starts from distances to landmarks: the graph's own coordinates took more work than is allowed.")
    if 0 < facts["drawn"] < placed:
        print(f"Laid out at first: {counted(facts['drawn'], 'image')}, drawn by label; the others then joined in.")
    kept = "none" if facts["preservation"] is None else f"{facts['preservation']:.3f}"
    print(f"Kept the map {kept_as} of {name} with {encoder_id}. Neighborhood preservation, mean: {kept}.")


def _list(store: EncoderStore) -> None:
    rows = []
    for name, standing in store.maps().items():
        facts = store.map_facts(name)
        fields = ("n_neighbors", "min_dist", "dimensions", "seed", "preservation")
        told = ["" if facts.get(field) is None else str(facts[field]) for field in fields]
        state = standing.state if not standing.reason else f"{standing.state}: {standing.reason}"
        rows.append([name, *told, state])
    columns = ["map", "n_neighbors", "min_dist", "dimensions", "seed", "preservation", "state"]
    print_table(columns, rows, title=f"{store.collection.name} with {store.encoder_id}")
    print(f'The map "{STANDARD_MAP}" is the one that a build makes.')
