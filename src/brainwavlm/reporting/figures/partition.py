"""Which features explain a score: the parts of the joint prediction by region, as a table and drawn by matplotlib."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from brainwavlm.errors import ConfigError
from brainwavlm.reporting.figures.draw_curves import thin
from brainwavlm.reporting.figures.folders import Place, Shown, chosen_names, one_name
from brainwavlm.reporting.figures.kinds import Choice
from brainwavlm.reporting.figures.style import Canvas, shortened
from brainwavlm.results.partition import Partition

_MOST_TARGETS = 8


def partition(places: Sequence[Place], choice: Choice) -> Shown:
    """Product measures of one run: run, target, model (frozen or tuned), space, r2; they sum to R2 of all together."""
    results = [Partition.open(place.path) for place in places]
    table = pd.concat([one.table[one.table["measure"] == "product"] for one in results], ignore_index=True)
    table = table[table["run"] == one_name("run", choice.run, table["run"])]
    targets = chosen_names("target", choice.target, table["target"])
    if choice.target and len(targets) > _MOST_TARGETS:
        raise ConfigError("target", f"{len(targets)} targets.", f"up to {_MOST_TARGETS}.", "Name fewer.")
    table = table[table["target"].isin(targets[:_MOST_TARGETS])]
    columns = {"r2_frozen": "frozen", "r2_tuned": "tuned"}
    about = ["run", "target", "space"]
    values = table[[*about, *columns]].rename(columns=columns).melt(about, var_name="model", value_name="r2")
    return Shown(values, any(one.simulated for one in results), partial(draw_partition, values))


def draw_partition(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """Two bars a target, the frozen and the tuned model's: parts above 0 upwards, parts below 0 downwards."""
    targets, spaces = (list(dict.fromkeys(values[column])) for column in ("target", "space"))
    colours = {space: f"C{place % 6}" for place, space in enumerate(spaces) if space != "model"}
    colours["model"] = canvas.colours["other"]
    figure = canvas.figure(0.62 * canvas.width)
    axes = figure.subplots()
    places = np.arange(len(targets))
    for offset, model in ((-0.2, "frozen"), (0.2, "tuned")):
        up, down = np.zeros(len(targets)), np.zeros(len(targets))
        for space in spaces:
            rows = values[(values["model"] == model) & (values["space"] == space)].set_index("target")
            r2 = rows["r2"].reindex(targets).to_numpy()
            bottom = np.where(r2 >= 0, up, down)
            bars = axes.bar(places + offset, r2, 0.36, bottom, color=colours[space])
            for target, bar in zip(targets, bars, strict=True):
                bar.set_gid(f"{target}:{model}:{space}")
            up, down = up + np.maximum(r2, 0), down + np.minimum(r2, 0)
    ticks = np.concatenate([places - 0.2, places + 0.2])
    axes.set_xticks(ticks, ["frozen"] * len(targets) + ["tuned"] * len(targets), rotation=90)
    names = axes.secondary_xaxis("top")
    names.set_xticks(places, [shortened(one, canvas.letters(0.9 / len(targets))) for one in targets])
    names.tick_params(length=0)
    axes.axhline(0, color=rcParams["axes.edgecolor"], linewidth=thin())
    axes.set_ylabel("part of R2 on test stories")
    figure.legend(
        [Patch(color=colours[space]) for space in spaces], spaces, loc="outside lower center", ncols=4
    )
    return figure
