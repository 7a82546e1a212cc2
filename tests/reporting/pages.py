"""A page as a browser would read it."""

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from brainwavlm.reporting.page.render import environment


def method_words(macro, *about, template="method.html.j2"):
    """What one macro of a template says."""
    return str(getattr(environment().get_template(template).module, macro)(*about))


def entries_of(origin):
    """Terms and texts of an `origin_of`, as the page shows them."""
    words = unescape(method_words("origin", origin, template="origin.html.j2"))
    return dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", words))


class Page(HTMLParser):
    """Opening tags with their attributes, the text that is seen, and what was never closed."""

    void = ("meta", "link", "img", "br", "input", "line", "circle")

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open = [], "", []
        self.feed(html.read_text(encoding="utf-8") if isinstance(html, Path) else html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if {"style", "script"} & set(self.open) else data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def charts(self):
        """Their text alternatives."""
        return [one["aria-label"] for one in self.all("div") if one.get("class") == "chart"]

    def require_read_aloud(self):
        """Headings go down in steps, headers have scopes, sections and charts have names."""
        assert self.open == []
        assert self.all("html") == [{"lang": "en"}]
        levels = [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert all(header.get("scope") in ("col", "row", "rowgroup") for header in self.all("th"))
        assert len(self.all("caption")) == len(self.all("table"))
        assert all(len(words) > 20 for words in self.charts())
        named = {attributes["id"] for _, attributes in self.tags if "id" in attributes}
        assert {section["aria-labelledby"] for section in self.all("section")} <= named
