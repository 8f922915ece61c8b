"""Escapes people's text for Markdown."""

import re
import textwrap

WIDTH = 96

# An underscore within a word and a bare & are no markup, and common in addresses.
_MARKUP = re.compile(r"([\\`*\[\]|<>~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_]))")
_BEGINS_A_BLOCK = re.compile(r"([-+=#])|(\d{1,9})([.)])(?=\s|$)")
# Invisible, and part of how Persian and the languages of India are written.
_JOINERS = "\u200c\u200d"


def one_line(text: str) -> str:
    """The same in one line, without what a terminal or a reader could be deceived with."""
    return " ".join(_visible(text).split())


def plain(text: str) -> str:
    """One line that Markdown shows as it is and nothing more."""
    return _guarded(_MARKUP.sub(r"\\\1", one_line(text)))


def wrapped(markdown: str) -> str:
    """Our own Markdown, with what others wrote in it made plain, as lines of 96 characters.

    Wherever a line breaks, the next one opens no block.
    """
    lines = textwrap.wrap(markdown, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_guarded, lines))


def numbered(markdown: str) -> str:
    """Our own Markdown with its sections numbered, and every paragraph of them as ``1.1``.

    Blocks that begin with ``>`` or ``|`` stay as they are.
    """
    section = point = 0
    blocks = []
    for block in markdown.strip().split("\n\n"):
        if block.startswith("## "):
            section, point = section + 1, 0
            blocks.append(f"## {section}. {block.removeprefix('## ')}")
        elif block.startswith((">", "|")):
            blocks.append(block)
        else:
            point += 1
            blocks.append(wrapped(f"{section}.{point} {block}"))
    return "\n\n".join(blocks)


def quoted(text: str) -> str:
    """Somebody's Markdown as a block quote: whatever it opens ends with it.

    It stays Markdown, without HTML and without pictures, which would be fetched from elsewhere.
    """
    safe = text.replace("<", "&lt;").replace("![", "!\\[").replace("\t", "    ")
    lines = [_visible(line).rstrip() for line in safe.strip().splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _visible(text: str) -> str:
    return "".join(
        letter for letter in text if letter.isprintable() or letter.isspace() or letter in _JOINERS
    )


def _guarded(line: str) -> str:
    """A line that opens no heading, list or rule, whatever it begins with."""
    if not (match := _BEGINS_A_BLOCK.match(line)):
        return line
    if match[1]:
        return f"\\{line}"
    return f"{match[2]}\\{line[match.start(3) :]}"
