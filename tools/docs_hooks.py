"""What `mkdocs build` makes pages of that are no pages: examples/*.py, their README and the tutorial notebook.

Links from pages to files of the repository that are no part of the site lead nowhere there, so they become plain text.
"""

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
QUOTES = '"""'
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each example, their gallery with its pictures, and the tutorial."""
    made = {"tutorial.md": notebook_page(ROOT / "docs" / "tutorial.ipynb")}
    made["examples/index.md"] = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    made |= {f"examples/{script.stem}.md": example_page(script) for script in sorted(EXAMPLES.glob("*.py"))}
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    for picture in sorted(EXAMPLES.glob("images/*.webp")):
        files.append(File.generated(config, f"examples/images/{picture.name}", abs_src_path=str(picture)))
    files.remove(files.get_file_from_path("tutorial.ipynb"))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at the pages made above, and take links out that leave the site."""
    folder = os.path.dirname(page.file.src_uri)

    def link(match: re.Match) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        inside = os.path.normpath(os.path.join(folder, target)).removeprefix("../")
        inside = re.sub(r"^(examples/\w+)\.py$|^(tutorial)\.ipynb$", r"\1\2.md", inside)
        inside = {"examples/README.md": "examples/index.md"}.get(inside, inside.removeprefix("docs/"))
        if files.get_file_from_path(inside) is None:
            if not (ROOT / inside).exists():
                return match[0]  # mkdocs says that it leads nowhere
            return text if text.strip("`") == inside else f"{text} (`{inside}`)"
        return f"[{text}]({os.path.relpath(inside, folder or '.')}{anchor})"

    return LINK.sub(link, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Keep names and options whole: narrow columns break them at hyphens and within words."""
    return re.sub(r"<code>([^<\s]{1,24})</code>", r'<code style="white-space: nowrap">\1</code>', html)


def example_page(script: Path) -> str:
    """Title and text from the docstring, the picture, the code."""
    source = script.read_text(encoding="utf-8")
    title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    picture = f"![{title.rstrip('.')}](images/{script.stem}.webp)"
    code = f"```python\n{source.split(QUOTES, 2)[2].strip()}\n```\n\n`examples/{script.name}`\n"
    return "\n\n".join((f"# {title.rstrip('.')}", text.strip(), picture, code))


def notebook_page(notebook: Path) -> str:
    """The cells one after the other, code in fences."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"]) for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for text, kind in texts) + "\n"
