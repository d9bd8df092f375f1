"""Markdown turned into HTML by markdown-it, as the console draws it: no HTML of the text's own.

All text is escaped; a link leads to a page of the console, a place on the web, or another runbook.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

type Link = Callable[[str], str | None]

_DEEPEST: Final = 4


class _Renderer(RendererHTML):
    """Wide things scroll by themselves, and can be reached by keys."""

    def fence(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return _code(tokens[idx])

    def code_block(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return _code(tokens[idx])

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"


_PARSER: Final = (
    MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    .enable("table")
    .disable(["image", "autolink", "html_block", "html_inline"])
)


def render(text: str, link: Link) -> SafeString:
    """`link` judges where a link leads: the address to write, or None to write its text alone."""
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.tag.startswith("h") and token.tag[1:].isdigit():
            # The page has its own first heading.
            token.tag = f"h{min(int(token.tag[1:]) + 1, _DEEPEST)}"
        elif token.type == "th_open":
            token.attrs = {"scope": "col"}
        elif token.type == "td_open":
            token.attrs = {}
        if token.children:
            token.children = list(_linked(token.children, link))
    html: str = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return mark_safe(html.strip())  # noqa: S308 - the renderer escapes, and knows no HTML of texts


def title(text: str) -> str:
    """The first heading, without its marks; "" where there is none."""
    tokens = _PARSER.parse(text)
    found = (tokens[n + 1] for n, token in enumerate(tokens) if token.type == "heading_open")
    return next(("".join(c.content for c in one.children or ()) for one in found), "")


def _code(token: Token) -> str:
    code = escape(token.content.removesuffix("\n"))
    return f'<pre tabindex="0"><code>{code}</code></pre>\n'


def _linked(tokens: Sequence[Token], link: Link) -> Iterator[Token]:
    is_kept = True
    for token in tokens:
        if token.type == "link_open":
            href = link(str(token.attrs.get("href", "")))
            is_kept = href is not None
            token.attrs = {"href": href or ""}
        if is_kept or not token.type.startswith("link_"):
            yield token
