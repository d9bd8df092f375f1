"""Files of flagd's format: an admin imports one, everybody may export."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.access.roles import requires
from console.flags import flagd_file, importing
from console.flags.importing import Imported
from console.flags.models import Flag
from console.pages import asking, figures
from console.pages.flag_acts import TEMPLATE, row
from console.pages.flag_forms import ImportForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def bring(request: HttpRequest) -> HttpResponse:
    files = request.FILES if request.method == "POST" else None
    form = ImportForm(asking.sent(request), files)
    context: dict[str, Any] = {
        "section": "flags",
        "title": "Import a flagd file?",
        "facts": [
            ("Now", f"{figures.count(Flag.objects.count())} flags"),
            ("After", "those that the file names are as it says; the others stay"),
            ("Mind", "all of it or nothing; of this release's flags only how they stand is taken"),
        ],
        "button": "Import this file",
        "definition_hint": "What this page and manage.py flags export, or flagd itself reads: "
        f"at most {flagd_file.LARGEST // 2**20} MB.",
        "back": reverse("flags"),
    }
    if request.method != "POST":
        return asking.show(request, form, context, template=TEMPLATE)
    actor = asking.actor_of(request)
    found: list[Imported] = []

    def do() -> int:
        document = flagd_file.parse(form.document())
        found.append(importing.import_file(actor, document, reason=form.why))
        return 0

    status, _ = asking.attempt(form, do)
    if status == asking.DONE:
        return asking.done(request, _said(found[0]), 0, reverse("flags"))
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@require_safe
def export(request: HttpRequest, key: str = "") -> HttpResponse:
    """One flag, or all: of one the others it requires come along, or it could not be evaluated."""
    del request
    flags = list(Flag.objects.all())
    if key:
        needed = {key, *(need["flag"] for need in row(key).requires)}
        flags = [flag for flag in flags if flag.key in needed]
    revision = max((flag.revision for flag in flags), default=0)
    name = f"flags-{key}.json" if key else "flags.json"
    return HttpResponse(
        flagd_file.write(flags, revision=revision),
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _said(found: Imported) -> str:
    counts = (("added", found.created), ("changed", found.edited), ("as before", found.unchanged))
    return f"Imported: {', '.join(f'{len(keys)} {word}' for word, keys in counts)}."
