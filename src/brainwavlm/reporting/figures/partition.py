"""Which features explain a score: the parts of the joint prediction by region, as a table and drawn by matplotlib."""

from collections.abc import Sequence
from functools import partial
from typing import Any

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

MOST_TARGETS = 8
MODELS = ("frozen", "tuned", "gain")
_ABOUT = ["run", "target", "measure", "space"]


def partition_table(table: pd.DataFrame) -> pd.DataFrame:
    """run, target, measure, space, model (frozen, tuned, gain), r2, low, high, of the table of a `Partition`."""
    models = []
    for model in MODELS:
        ending = "" if model == "gain" else f"_{model}"
        names = {"difference" if model == "gain" else f"r2{ending}": "r2"}
        names |= {f"{end}{ending}": end for end in ("low", "high")}
        models.append(table[[*_ABOUT, *names]].rename(columns=names).assign(model=model))
    return pd.concat(models, ignore_index=True)[[*_ABOUT, "model", "r2", "low", "high"]]


def partition(places: Sequence[Place], choice: Choice) -> Shown:
    """Product measures of one run by target, model and space: they sum to R2 of all together."""
    results = [Partition.open(place.path) for place in places]
    table = pd.concat([one.table[one.table["measure"] == "product"] for one in results], ignore_index=True)
    table = table[table["run"] == one_name("run", choice.run, table["run"])]
    targets = chosen_names("target", choice.target, table["target"])
    if choice.target and len(targets) > MOST_TARGETS:
        raise ConfigError("target", f"{len(targets)} targets.", f"up to {MOST_TARGETS}.", "Name fewer.")
    values = partition_table(table[table["target"].isin(targets[:MOST_TARGETS])])
    return Shown(values, any(one.simulated for one in results), partial(draw_partition, values))


def draw_partition(values: pd.DataFrame, canvas: Canvas) -> Figure:
    """Three bars a target, frozen, tuned and the gain: parts above 0 upwards, parts below 0 downwards."""
    targets, spaces = (list(dict.fromkeys(values[column])) for column in ("target", "space"))
    colours = {space: f"C{place % 6}" for place, space in enumerate(spaces) if space != "model"}
    colours["model"] = canvas.colours["other"]
    figure = canvas.figure(0.62 * canvas.width)
    axes = figure.subplots()
    places = np.arange(len(targets))
    ticks = {model: places + offset for model, offset in zip(MODELS, (-0.28, 0, 0.28), strict=True)}
    for model, at in ticks.items():
        up, down = np.zeros(len(targets)), np.zeros(len(targets))
        for space in spaces:
            rows = values[(values["model"] == model) & (values["space"] == space)].set_index("target")
            r2 = rows["r2"].reindex(targets).to_numpy()
            bars = axes.bar(at, r2, 0.25, np.where(r2 >= 0, up, down), color=colours[space])
            for target, bar in zip(targets, bars, strict=True):
                bar.set_gid(f"{target}:{model}:{space}")
            up, down = up + np.maximum(r2, 0), down + np.minimum(r2, 0)
    axes.set_xticks(np.concatenate(list(ticks.values())), np.repeat(MODELS, len(targets)), rotation=90)
    names = axes.secondary_xaxis("top")
    slanted = max(map(len, targets)) > canvas.letters(0.8 / len(targets))
    slant: dict[str, Any] = {"rotation": 30, "ha": "left"} if slanted else {}
    names.set_xticks(places, [shortened(one, canvas.letters(0.3)) for one in targets], **slant)
    names.tick_params(length=0)
    axes.axhline(0, color=rcParams["axes.edgecolor"], linewidth=thin())
    axes.set_ylabel("part of R2 on test stories")
    figure.legend(
        [Patch(color=colours[space]) for space in spaces], spaces, loc="outside lower center", ncols=4
    )
    return figure
