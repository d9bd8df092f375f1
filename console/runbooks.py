"""The runbooks of docs/runbooks, one for each alert's "what to do", as pages of the console."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.urls import reverse
from django.utils.safestring import SafeString

from console import markdown
from console.env import ROOT

FOLDER: Final = ROOT / "docs" / "runbooks"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PAGE: Final = re.compile(r"/[A-Za-z0-9/_.:~-]*(?:\?[A-Za-z0-9=&_.-]*)?(?:#[a-z0-9-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    name: str
    title: str
    text: str

    def html(self) -> SafeString:
        """Without its first heading, which is the page's."""
        _, _, rest = self.text.partition("\n")
        body = rest if self.text.startswith("# ") else self.text
        return markdown.render(body, _link)


def names(folder: Path = FOLDER) -> list[str]:
    found = (path.stem for path in folder.glob("*.md"))
    return sorted(name for name in found if _NAME.fullmatch(name))


@cache
def is_there(name: str) -> bool:
    """Asked for each alert that is shown; one that is added is seen after a restart."""
    return find(name) is not None


def find(name: str, folder: Path = FOLDER) -> Runbook | None:
    """By its name alone: it is never a path."""
    if not _NAME.fullmatch(name):
        return None
    try:
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
    except OSError:
        return None
    return Runbook(name=name, title=markdown.title(text) or name, text=text)


def _link(href: str) -> str | None:
    """Pages of the console, other runbooks, and the web over TLS; nothing else is a link."""
    is_page = _PAGE.fullmatch(href) and not href.startswith("//")
    if is_page or href.startswith("https://"):
        return href
    name = href.removeprefix("./").removesuffix(".md")
    if href.endswith(".md") and _NAME.fullmatch(name) and find(name):
        return reverse("runbook", args=[name])
    return None
