"""The code under test: from an object as JSON-RPC says it to the bytes that the tries hold."""

import json
from typing import Any

from validation.rpc.answers import Answer, read_receipt, read_transaction
from validation.validators.envelope import encode
from validation.validators.trie_values import receipt_type, receipt_value

type Json = dict[str, Any]


def raw_of(tx: Json) -> bytes:
    return encode(_read(read_transaction, tx))


def value_of(receipt: Json) -> bytes:
    known = _read(read_receipt, receipt)
    number = receipt_type(known)
    assert number is not None
    return receipt_value(known, number)


def _read(reader: Any, said: Json) -> Any:
    answer = reader(json.dumps(said).encode())
    assert isinstance(answer, Answer), answer
    return answer.value
