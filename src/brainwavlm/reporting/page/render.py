"""From content to one self-contained HTML file: the template filled in, every text escaped, pictures inside."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from brainwavlm.errors import RunError
from brainwavlm.files import replacing
from brainwavlm.reporting.figures.style import Picture, data_uri, png
from brainwavlm.reporting.page.output import ELSEWHERE

_CSS_DOTS_PER_INCH = 96


def image(picture: Picture) -> dict[str, Any]:
    """A figure and its text alternative, for the templates."""
    figure, alt = picture
    width, height = (round(inches * _CSS_DOTS_PER_INCH) for inches in figure.get_size_inches())
    return {"uri": data_uri(png(figure)), "alt": alt, "width": width, "height": height}


def write_page(output: Path, template: str, content: Mapping[str, Any]) -> Path:
    """Fill in a template and write the page, whole or not at all.

    Parameters
    ----------
    output : Path
        One that `require_page_path` lets through.
    template : str
        Name of a file in templates/.
    content : mapping
        Everything that it shows.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    folder = resources.files("brainwavlm.reporting") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template(template).render(content)
    try:
        with replacing(output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(output, f"not writable: {error.strerror}.", *ELSEWHERE) from None
    return output
