"""Looking for words in columns, by the GIN indexes that hold them: `found("needle 10", "title")`.

A text's words are what stands between blanks and signs, in small letters (`validation_words`,
migration 0010). Each word that is sought may be the beginning of one; all of them must be there.
What was written together, as `127.0.0.1:8545`, must stand so.
"""

import re
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, F, Func, Index, Q, Value
from django.db.models.expressions import CombinedExpression

_SIGNS = re.compile(r"[\x00-/:-@\[-`{-\x7f]")


class Words(Func):
    """The words of all columns given: what an index holds and a search asks."""

    function = "validation_words"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()


class WordsIndex(Index):
    """By GIN. Django's own asks for its app `postgres`, which questions each new connection."""

    suffix = "gin"

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        return super().create_sql(model, schema_editor, using=using or " USING gin", **kwargs)


class _Sought(Func):
    function = "validation_sought"
    output_field = SearchVectorField()


class _Has(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @@ "
    output_field = BooleanField()


def found(text: str, *columns: str) -> Q:
    """Where the words of `text` are in `columns` together; a text of signs alone is nowhere."""
    wanted = Q(_Has(Words(*columns), _Sought(Value(text))))
    for piece in text.split():
        # The index has found whoever has its parts; these few rows are read for the whole.
        if _SIGNS.search(piece):
            wanted &= reduce(or_, (Q(**{f"{column}__icontains": piece}) for column in columns))
    return wanted


def apart(column: str) -> CombinedExpression:
    """A number to sort by what was found. Sorting by the column itself, the planner hopes to meet
    a page of matches soon along its index, and reads the whole table where there are few.
    """
    return F(column) + 0
