"""A figure read back from its SVG file, as a reader with a ruler would: places of marks, put on the axes by their ticks."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
from matplotlib.image import imread

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_NUMBER = r"-?\d+\.?\d*(?:e-?\d+)?"


class Drawn:
    """Elements by their ids, with values in the units of the axes that they lie in."""

    def __init__(self, path):
        self.root = ElementTree.parse(path).getroot()
        self.parent = {child: above for above in self.root.iter() for child in above}
        self.width = self.root.get("width")

    def named(self, gid):
        return next(element for element in self.root.iter() if element.get("id") == gid)

    def ids(self, start):
        return [e.get("id") for e in self.root.iter() if (e.get("id") or "").startswith(start)]

    @property
    def texts(self):
        return ["".join(text.itertext()).strip() for text in self.root.iter(f"{_SVG}text")]

    def text(self, gid):
        return "".join(self.named(gid).itertext()).strip()

    def line(self, gid):
        """Corners of a line, array (n, 2) in data units."""
        path = next(self.named(gid).iter(f"{_SVG}path"))
        return self._values(gid, self._corners(path))

    def band(self, gid):
        """Corners of a filled band, array (n, 2) in data units."""
        element = self.named(gid)
        path = next(element.iter(f"{_SVG}path"))
        use = next(element.iter(f"{_SVG}use"))
        return self._values(gid, self._corners(path) + np.array([float(use.get("x")), float(use.get("y"))]))

    def dots(self, gid):
        """Places of markers, array (n, 2) in data units."""
        uses = list(self.named(gid).iter(f"{_SVG}use"))
        return self._values(gid, np.array([[float(use.get("x")), float(use.get("y"))] for use in uses]))

    def cells(self, start):
        """Of filled rectangles: corner, opposite corner and colour, by id."""
        found = {}
        for gid in self.ids(start):
            path = next(self.named(gid).iter(f"{_SVG}path"))
            corners = self._corners(path)
            colour = re.search(r"fill: (#\w{6})", path.get("style"))[1]
            found[gid] = corners.min(axis=0), corners.max(axis=0), colour
        return found

    def text_place(self, words):
        """Where a text stands, which must stand once."""
        (text,) = [t for t in self.root.iter(f"{_SVG}text") if "".join(t.itertext()).strip() == words]
        moved = re.match(rf"translate\(({_NUMBER}) ({_NUMBER})\)", text.get("transform") or "")
        return [float(one) for one in (moved.groups() if moved else (text.get("x"), text.get("y")))]

    def pictures(self, gid):
        """Pixels of every picture within an element."""
        return [
            imread(io.BytesIO(base64.b64decode(image.get(_LINK).split(",")[1])))
            for image in self.named(gid).iter(f"{_SVG}image")
        ]

    def _corners(self, path):
        numbers = re.findall(_NUMBER, path.get("d"))
        return np.array(numbers, float).reshape(-1, 2)

    def _axes(self, gid):
        element = self.named(gid)
        while not (element.get("id") or "").startswith("axes_"):
            element = self.parent[element]
        return element

    def _values(self, gid, places):
        axes = self._axes(gid)
        return np.column_stack(
            [self._scaled(axes, "xtick_", 0, places[:, 0]), self._scaled(axes, "ytick_", 1, places[:, 1])]
        )

    def _scaled(self, axes, start, which, places):
        """On the line through the labelled ticks; axes that share an x axis have it at the lowest only."""
        every = [e for e in self.root.iter() if (e.get("id") or "").startswith("axes_")]
        for where in (axes, *(every[::-1] if which == 0 else ())):
            at, values = [], []
            for tick in where.iter():
                if not (tick.get("id") or "").startswith(start):
                    continue
                label = "".join("".join(t.itertext()) for t in tick.iter(f"{_SVG}text")).strip()
                use = next(tick.iter(f"{_SVG}use"), None)
                if use is None or not re.fullmatch(r"[−-]?[\d.]+", label):
                    continue
                at.append(float(use.get("xy"[which])))
                values.append(float(label.replace("−", "-")))
            if len(at) > 1:
                slope, start_ = np.polyfit(at, values, 1)
                return slope * places + start_
        return places
