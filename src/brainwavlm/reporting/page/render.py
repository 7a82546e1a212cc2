"""A page on disk: where it may be written, templates, and scripts that are named by their checksums."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from brainwavlm import __version__
from brainwavlm.config import CONTROLS
from brainwavlm.files import replacing
from brainwavlm.reporting.figures.style import Picture, data_uri
from brainwavlm.runs.output_paths import require_path, written

ELSEWHERE = ("an HTML file that can be written.", "Choose another output.")
_GENERATOR = b'<meta name="generator" content="brainwavlm'
_CSS_DOTS_PER_INCH = 96
_IN_SCRIPT = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in ("<", ">", "&", "\u2028", "\u2029")})


def require_page_path(output: Path) -> None:
    """RunError before a page is drawn that could not be written, or would replace something else."""
    problem = ""
    if output.suffix.lower() not in (".html", ".htm"):
        problem = f"a name that ends in {output.suffix!r}." if output.suffix else "a name without .html."
    require_path(output, _GENERATOR, "another file is here, no page of brainwavlm.", ELSEWHERE, problem)


@cache
def environment() -> jinja2.Environment:
    """The templates of pages; they know what controls are called."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("brainwavlm.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["controls"] = CONTROLS
    return made


def write_page(output: Path, template: str, scripts: Sequence[str], content: Mapping[str, Any]) -> Path:
    """Fill in a template of templates/ and write the page, whole or not at all; RunError where it cannot be written.

    None but `scripts` of that folder and plotly's may run on the page, whatever data put in it.
    """
    folder = resources.files("brainwavlm.reporting") / "templates"
    css, *own = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", *scripts))
    texts = [*own, get_plotlyjs()]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode("ascii") for one in texts]
    # As a content security policy names them. unsafe-eval is for plotly, which makes functions of its own text to draw
    # many points; without it it draws none.
    allowed = " ".join(["'unsafe-eval'", *(f"'sha256-{digest}'" for digest in digests)])
    about = {"version": __version__, "css": css, "scripts": texts, "allowed": allowed}
    page = environment().get_template(template).render(about | dict(content))
    with written(output, *ELSEWHERE), replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output


def image(picture: Picture) -> dict[str, Any]:
    """A figure and its text alternative, for the templates."""
    figure, alt = picture
    width, height = (round(inches * _CSS_DOTS_PER_INCH) for inches in figure.get_size_inches())
    return {"uri": data_uri(figure), "alt": alt, "width": width, "height": height}


def download(name: str, content: str | bytes, kind: str) -> dict[str, str]:
    """A file as the address of a download; `kind` is a media type such as text/csv."""
    data = content.encode() if isinstance(content, str) else content
    uri = f"data:{kind};charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}"
    return {"name": name, "uri": uri}


def in_script(content: Any) -> str:
    r"""JSON that can stand inside a script element: no sign in it can end the element (<, > and & as \u003c ...)."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)
