"""Names what can be validated: text of a person or a file enters, `Subject` and `Malformed` leave.

Depends on nothing of the project; everything that accepts items depends on it.
"""

from validation.subjects.grammar import (
    MAX_BLOCK_NUMBER,
    MAX_RANGE,
    Kind,
    Malformed,
    Subject,
    SubjectError,
    expand,
    parse_subject,
)
from validation.subjects.readers import read_csv, read_lines, read_ndjson
from validation.subjects.uploads import MAX_LINE_BYTES, read_upload

__all__ = [
    "MAX_BLOCK_NUMBER",
    "MAX_LINE_BYTES",
    "MAX_RANGE",
    "Kind",
    "Malformed",
    "Subject",
    "SubjectError",
    "expand",
    "parse_subject",
    "read_csv",
    "read_lines",
    "read_ndjson",
    "read_upload",
]
