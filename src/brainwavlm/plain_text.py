"""Names and messages as a terminal may show them: whatever a file is called, no sign of it moves the cursor."""


def printable(text: object) -> str:
    r"""The text on one line; signs that control a terminal or turn the direction of reading as escapes (\n, \u202e)."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(text)
    )


def indented(text: object, by: int = 4) -> str:
    """The same of text with several lines, each further one indented."""
    return ("\n" + " " * by).join(printable(line) for line in str(text).splitlines())
