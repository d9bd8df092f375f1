"""The forms of the console: text of a person enters, domain types leave."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from console.access.roles import Role
from console.access.scopes import SAID, Scope
from console.controls import MOST_NODES, Refused, bounds
from console.pages.figures import count
from validation.subjects import (
    MAX_BLOCK_NUMBER,
    MAX_RANGE,
    Malformed,
    Subject,
    expand,
    read_lines,
    read_upload,
)

SOURCES = (("paste", "Paste"), ("file", "File"), ("range", "Block range"))
# Value, name, what it means.
LEVELS = (
    (
        "",
        "The highest that is settled at once",
        "Level 4 where CHECKPOINT names a block that is trusted, else level 3.",
    ),
    ("0", "0 · Answered", "The node gave an answer about the item. Nothing is verified."),
    ("1", "1 · Well-formed", "Every field is there, of the right type, size and range."),
    (
        "2",
        "2 · Self-consistent",
        "Hashes are recomputed, senders recovered. An address has nothing to verify below 3.",
    ),
    (
        "3",
        "3 · In its block",
        "The roots of its block are recomputed; an address is proved against the state root.",
    ),
    (
        "4",
        "4 · Anchored",
        "Its block is linked, header by header, to the one that CHECKPOINT names.",
    ),
    (
        "5",
        "5 · Final",
        "Its block is final, and other nodes say so too. Younger ones become unverifiable.",
    ),
)
_EXPIRIES = (("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never"))


class NewRunForm(forms.Form):
    """What to validate, from exactly one of three sources, and how far."""

    source = forms.ChoiceField(choices=SOURCES, initial="paste")
    text = forms.CharField(required=False, strip=False)
    file = forms.FileField(required=False, allow_empty_file=True)
    first = forms.IntegerField(required=False, min_value=0, max_value=MAX_BLOCK_NUMBER)
    last = forms.IntegerField(required=False, min_value=0, max_value=MAX_BLOCK_NUMBER)
    level = forms.TypedChoiceField(
        choices=[(value, name) for value, name, _ in LEVELS],
        coerce=int,
        empty_value=None,
        required=False,
    )
    # 1 asks one node, and no other what it says.
    agreement = forms.IntegerField(required=False, min_value=1, max_value=MOST_NODES, initial=1)
    title = forms.CharField(required=False, max_length=200)

    @property
    def agreed_by(self) -> int | None:
        """How many nodes must say the same; None: one is enough."""
        given: int | None = self.cleaned_data["agreement"]
        return given if given and given > 1 else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        check = {"paste": self._check_text, "file": self._check_file, "range": self._check_range}
        if source := cleaned.get("source"):
            check[source]()
        return cleaned

    def entries(self) -> Iterator[Subject | Malformed]:
        """The items of the chosen source, read as they are asked for. Only of a valid form."""
        cleaned = self.cleaned_data
        if cleaned["source"] == "file":
            upload: UploadedFile[bytes] = cleaned["file"]
            return read_upload(
                upload.chunks(),
                filename=upload.name or "",
                content_type=upload.content_type or "",
            )
        if cleaned["source"] == "range":
            return expand(f"block:{cleaned['first']}-{cleaned['last']}")
        return read_lines(cleaned["text"].splitlines())

    @property
    def source_field(self) -> str:
        """The field beside which an error about the items belongs."""
        return {"file": "file", "range": "first"}.get(self.cleaned_data.get("source", ""), "text")

    def _check_text(self) -> None:
        if "text" not in self.errors and not self.cleaned_data.get("text", "").strip():
            self.add_error("text", "Paste at least one subject, for example block:123.")

    def _check_file(self) -> None:
        upload = self.cleaned_data.get("file")
        if "file" in self.errors:
            return
        if upload is None:
            self.add_error("file", "Choose a file: CSV, NDJSON or plain text.")
        elif not upload.size:
            self.add_error("file", f"{upload.name} is empty: choose a file with subjects.")

    def _check_range(self) -> None:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        for name, value in (("first", first), ("last", last)):
            if value is None and name not in self.errors:
                self.add_error(name, f"Give the {name} block of the range, for example 1000.")
        if first is None or last is None:
            return
        if last < first:
            self.add_error("last", f"The last block, {last}, comes before the first, {first}.")
        elif last - first >= MAX_RANGE:
            size = count(last - first + 1)
            self.add_error("last", f"{size} blocks are more than a range may hold ({MAX_RANGE:,}).")


class ReasonForm(forms.Form):
    """Why, for the audit trail; who says nothing gets the words of the page."""

    reason = forms.CharField(required=False, max_length=bounds.LONGEST_REASON)

    def clean_reason(self) -> str:
        given = str(self.cleaned_data["reason"])
        try:
            return bounds.reason_of(given) if given.strip() else ""
        except Refused as exc:
            text = f"Give {exc.expected}, or none."
            raise forms.ValidationError(text) from exc


class NewTokenForm(ReasonForm):
    """A token's name, what it may do and where, and until when."""

    name = forms.CharField(max_length=80)
    role = forms.ChoiceField(choices=[(role.value, role.value) for role in Role], initial="viewer")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, SAID[scope]) for scope in Scope],
        initial=[Scope.READ.value],
        error_messages={"required": "Choose at least one: a token without a scope opens nothing."},
    )
    days = forms.ChoiceField(choices=_EXPIRIES, initial="90", required=False)

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None
