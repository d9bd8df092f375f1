"""Runbooks as pages: what Markdown they use is drawn, and nothing of theirs is run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from console import markdown, runbooks
from monitoring.alerts.catalogue import RULES
from tests.pages.conftest import Page

See = Callable[..., Page]


def drawn(text: str) -> str:
    """Without what stands between tags for who reads the source."""
    html = markdown.render(text, lambda href: href if href.startswith("/") else None)
    return re.sub(r"(</?(?:p|li|[uo]l|t\w+|pre|h\d|div)\b[^>]*>)\s+(?=<)", r"\1", html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("## See it", "<h3>See it</h3>"),
        ("One line\nand its rest", "<p>One line\nand its rest</p>"),
        ("a `b < c` d", "<p>a <code>b &lt; c</code> d</p>"),
        ("**very** *much*", "<p><strong>very</strong> <em>much</em></p>"),
        ("2 * 3 * 4 and a_b_c", "<p>2 * 3 * 4 and a_b_c</p>"),
        ("[Pools](/pools/)", '<p><a href="/pools/">Pools</a></p>'),
        ("[bad](ftp://elsewhere.example/x)", "<p>bad</p>"),
        ("para\n\n  - item", "<p>para</p><ul><li>item</li></ul>"),
        ("- a\n\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>"),
        ("- a\n- b\n  rest", "<ul><li>a</li><li>b\nrest</li></ul>"),
        ("```sh\nls <x>\n\n# no heading\n```",
         '<pre tabindex="0"><code>ls &lt;x&gt;\n\n# no heading</code></pre>'),
    ],
)  # fmt: skip
def test_what_runbooks_use_is_drawn(text: str, html: str) -> None:
    assert drawn(text) == html


def test_steps_hold_commands_of_their_own() -> None:
    html = drawn("1. Look:\n\n   ```\n   ls\n     -l\n   ```\n2. Then that\n\nDone.")
    assert html == (
        '<ol><li><p>Look:</p><pre tabindex="0"><code>ls\n  -l</code></pre></li>'
        "<li><p>Then that</p></li></ol><p>Done.</p>"
    )


def test_tables_have_headings() -> None:
    html = drawn("| a | b |\n|---|---|\n| `x\\|y` | 2 |")
    assert '<th scope="col">a</th><th scope="col">b</th>' in html
    assert "<td><code>x|y</code></td><td>2</td>" in html


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "- <img src=x onerror=y>", "# <b>", "| <i> |\n|---|\n| <u> |",
     "`<x>`", "**<x>**", "[<x>](/a)", '[a](/"onclick=x)', "[a](javascript:alert(1))",
     "![a](/x.png)", "<https://elsewhere.example>"],
)  # fmt: skip
def test_nothing_of_it_is_html(text: str) -> None:
    page = Page(drawn(text))
    assert not {tag for tag, _ in page.tags} & {"script", "img", "b", "i", "u", "x"}
    assert not any("javascript" in str(value) for _, attrs in page.tags for value in attrs.values())
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


@pytest.mark.parametrize("name", ["../secret", "a/b", "A", "", "a.md", "a--b", "missing"])
def test_a_name_is_never_a_path(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    (tmp_path.parent / "secret.md").write_text("# secret")
    assert runbooks.find(name, tmp_path) is None


def test_its_heading_is_the_page_title(tmp_path: Path) -> None:
    (tmp_path / "pool-full.md").write_text("# The pool is full\n\nLook at [it](/pools/).")
    (found,) = (runbooks.find(name, tmp_path) for name in runbooks.names(tmp_path))
    assert found is not None
    assert found.title == "The pool is full"
    assert found.html() == '<p>Look at <a href="/pools/">it</a>.</p>'


def test_an_unknown_one_names_those_there_are(viewer: Client, see: See) -> None:
    assert "There is no runbook" in see(viewer, "/alerts/runbooks/no-such/", 404).text


def test_each_runbook_that_is_there_is_a_page(viewer: Client, see: See) -> None:
    for name in runbooks.names():
        page = see(viewer, f"/alerts/runbooks/{name}/")
        assert page.all("h1")
        of = [rule.key for rule in RULES.values() if rule.runbook == name]
        assert all(key in page.text for key in of)
