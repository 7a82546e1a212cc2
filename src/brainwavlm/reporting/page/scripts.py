"""Scripts of a page: its own and plotly's, named by their checksums, so that no other may run."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from plotly.offline import get_plotlyjs

_IN_SCRIPT = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in ("<", ">", "&", "\u2028", "\u2029")})


def page_scripts() -> dict[str, Any]:
    """What the templates need for scripts: their texts, which may run, and how data get into them."""
    own = (resources.files("brainwavlm.reporting") / "templates" / "report.js").read_text(encoding="utf-8")
    scripts = [own, get_plotlyjs()]
    return {"scripts": scripts, "allowed": _allowed(scripts), "in_script": in_script}


def in_script(content: Any) -> str:
    r"""JSON that can stand inside a script element: no sign in it can end the element (<, > and & as \u003c ...)."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


def _allowed(scripts: Sequence[str]) -> str:
    """Which scripts may run, as a content security policy names them: none but these, whatever data put in the page.

    unsafe-eval is for plotly, which makes functions of its own text to draw many points; without it it draws none.
    """
    digests = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii") for script in scripts
    ]
    return " ".join(["'unsafe-eval'", *(f"'sha256-{digest}'" for digest in digests)])
