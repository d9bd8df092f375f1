"""The table of lies: name, what is said, and the check that must catch it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from validation.devnode.lies import replies as r
from validation.devnode.lies import results as s
from validation.devnode.lies.lie import Answer, Lie, Spoken, Told

type Row = tuple[str, Callable[..., Any], int | None, str, str]

_TX_HASH = "the transaction's hash, recomputed"
_HEADER = "the header's hash, recomputed"
_RECEIPT = "the receipt agrees with the transaction"
_IN_BLOCK = "the receipts root of the block"
_FORM = "the answer is well-formed"
_IDS = "answers are bound to calls by id"
_PARSER = "the client's parser"
_STATE = "the account's proof against the state root"


def _changed(pick: s.Pick, name: str, change: Callable[[str], object]) -> Callable[[Told], Any]:
    return s.altered(pick, name, change)


_TRANSACTIONS: Iterable[Row] = (
    ("tx-value", _changed(s.transactions, "value", s.raised), 2, "one wei more is sent", _TX_HASH),
    ("tx-input", _changed(s.transactions, "input", s.flipped), 2, "one bit of the input", _TX_HASH),
    ("tx-recipient", _changed(s.transactions, "to", s.flipped), 2, "another recipient", _TX_HASH),
    ("tx-nonce", _changed(s.transactions, "nonce", s.raised), 2, "the next nonce", _TX_HASH),
    ("tx-gas", _changed(s.transactions, "gas", s.raised), 2, "one more gas allowed", _TX_HASH),
    ("tx-chain-id", _changed(s.transactions, "chainId", s.raised), 2, "another chain", _TX_HASH),
    ("tx-hash", _changed(s.transactions, "hash", s.flipped), 1, "another hash than asked", _FORM),
    ("tx-sender", _changed(s.transactions, "from", s.flipped), 2, "a forged sender",
     "the sender recovered from the signature"),
    ("tx-signature", s.reshaped(s.transactions, s.swap_signature), 2, "r and s swapped", _TX_HASH),
    ("tx-high-s", s.reshaped(s.transactions, s.high_s), 2, "the signature's high twin", _TX_HASH),
    ("tx-block", _changed(s.transactions, "blockHash", s.flipped), 2,
     "another block holds it", _RECEIPT),
    ("tx-index", _changed(s.transactions, "transactionIndex", s.raised), 2,
     "the next place in its block", _RECEIPT),
    ("tx-another", s.another_transaction, 1, "the next transaction of the chain, true", _FORM),
)  # fmt: skip

_RECEIPTS: Iterable[Row] = (
    ("receipt-status", _changed(s.receipts, "status", lambda v: hex(int(v, 16) ^ 1)), 3,
     "failed said to have succeeded, and the reverse", _IN_BLOCK),
    ("receipt-tx-hash", _changed(s.receipts, "transactionHash", s.flipped), 2,
     "the receipt of another hash", _RECEIPT),
    ("receipt-block", _changed(s.receipts, "blockHash", s.flipped), 2, "another block", _RECEIPT),
    ("receipt-from", _changed(s.receipts, "from", s.flipped), 2, "another sender", _RECEIPT),
    ("receipt-to", _changed(s.receipts, "to", s.flipped), 2, "another recipient", _RECEIPT),
    ("receipt-type", _changed(s.receipts, "type", s.raised), 2, "the next type", _RECEIPT),
    ("receipt-index", _changed(s.receipts, "transactionIndex", s.raised), 2,
     "the next place in its block", _RECEIPT),
    ("receipt-contract", _changed(s.receipts, "contractAddress", s.flipped), 2,
     "another contract was created", _RECEIPT),
    ("receipt-gas", _changed(s.receipts, "cumulativeGasUsed", s.raised), 3,
     "one more gas used", _IN_BLOCK),
    ("receipt-log", s.reshaped(s.receipts, s.alter_log), 3, "one bit of each log", _IN_BLOCK),
    ("receipt-dropped-log", s.reshaped(s.receipts, s.drop_log), 3,
     "the last log is left out", _IN_BLOCK),
    ("receipt-bloom", _changed(s.receipts, "logsBloom", s.flipped), 3,
     "one bit of the bloom", _IN_BLOCK),
    ("receipt-another", s.another_receipt, 2,
     "the next transaction's receipt, true", _RECEIPT),
    ("receipt-relabelled", s.relabelled_receipt, 3,
     "another receipt under this hash, sender and block", _IN_BLOCK),
)  # fmt: skip

_BLOCKS: Iterable[Row] = (
    ("block-hash", _changed(s.blocks, "hash", s.flipped), 2, "another hash", _HEADER),
    ("block-number", _changed(s.blocks, "number", s.raised), 1, "the next number", _FORM),
    ("block-parent", _changed(s.blocks, "parentHash", s.flipped), 2, "another parent", _HEADER),
    ("block-state-root", _changed(s.blocks, "stateRoot", s.flipped), 2, "another state", _HEADER),
    ("block-base-fee", _changed(s.blocks, "baseFeePerGas", s.raised), 2,
     "one wei more a gas", _HEADER),
    ("block-timestamp", _changed(s.blocks, "timestamp", s.in_a_century), 2,
     "a century later", _HEADER),
    ("block-swapped-roots", s.reshaped(s.blocks, s.swap_roots), 2,
     "roots of transactions and receipts swapped", _HEADER),
    ("block-tx-hash", s.reshaped(s.blocks, s.forge_transaction_hash), 2,
     "the first transaction's hash forged", _TX_HASH),
    ("block-dropped-tx", s.reshaped(s.blocks, s.drop_transaction), 3,
     "the last transaction is left out", "the transactions root of the block"),
    ("block-another", s.another_block, 1, "the block before, true", _FORM),
)  # fmt: skip

_ACCOUNTS: Iterable[Row] = (
    ("account-balance", s.answering("eth_getBalance", s.raised), 3, "one wei more", _STATE),
    ("account-nonce", s.answering("eth_getTransactionCount", s.raised), 3, "one more", _STATE),
    ("account-code", s.answering("eth_getCode", s.flipped), 3, "one bit of the code", _STATE),
    ("proof-cut", s.cut_proof, 3, "the proof's last node is left out", _STATE),
    ("proof-another", s.foreign_proof, 3, "the proof of another account", _STATE),
)  # fmt: skip

_NODE: Iterable[Row] = (
    ("chain-id", s.answering("eth_chainId", s.raised), 0, "the next chain's id",
     "the configured chain id"),
    ("stale-head", s.answering("eth_blockNumber", s.long_ago), None, "a head 100 blocks back",
     "another node"),
    ("null-result", s.nothing, None, "null for what exists", "another node: not_found meanwhile"),
    ("unknown-type", s.reshaped(s.transactions, s.unknown_type), 1,
     "a transaction type nobody knows", "the type is known: skipped, unverifiable"),
    ("extra-field", s.reshaped(s.transactions, s.unheard_field), 1,
     "a field nobody knows", "the fields are known: skipped, unverifiable"),
    ("missing-field", s.reshaped(s.transactions, s.lose_nonce), 1, "no nonce", _FORM),
    ("zero-led", _changed(s.transactions, "value", s.zero_led), 1,
     "quantities with leading zeros", _FORM),
)  # fmt: skip

_ANSWERS: Iterable[Row] = (
    ("wrong-id", r.wrong_ids, 0, "ids that nobody gave", _IDS),
    ("retyped-id", r.retyped_ids, 0, "numbers as strings and the reverse", _IDS),
    ("missing-id", r.missing_ids, 0, "answers without ids", _IDS),
    ("missing-answer", r.missing_answer, 0, "the last answer is left out", _IDS),
    ("duplicate-id", r.duplicate_ids, 0, "all answers under the first id", _IDS),
    ("duplicate-answer", r.duplicated_answer, 0, "the first answer twice", _IDS),
    ("crossed-ids", r.crossed_ids, 1, "each answer under its neighbour's id", _FORM),
    ("result-and-error", r.result_and_error, 0, "a result and an error at once", _PARSER),
    ("shuffled", r.reversed_order, None, "answers in reverse order",
     "nothing: the specification allows it, and it must do no harm"),
)  # fmt: skip

_BODIES: Iterable[Row] = (
    ("not-json", r.not_json, 0, "a proxy's words", _PARSER),
    ("html", r.html, 0, "a sign-in page", _PARSER),
    ("truncated", r.truncated, 0, "two thirds of the reply", _PARSER),
    ("nan", r.not_a_number, 0, "NaN as a result", _PARSER),
    ("doubled-keys", r.doubled_keys, 0, "result twice in each answer", _PARSER),
    ("nesting-bomb", r.nesting_bomb, 0, "100 000 brackets", _PARSER),
    ("huge-body", r.huge_body, 0, "the reply and 100 MB of blanks", "the bound on a body"),
    ("redirect", r.redirect, 0, "the reply is elsewhere", "redirects are not followed"),
    ("bad-gateway", r.server_error, 0, "HTTP 502", "the HTTP status"),
)  # fmt: skip


def _result(row: Row) -> Lie:
    name, tell, level, says, caught_by = row
    return Lie(name=name, says=says, caught_by=caught_by, level=level, result=tell)


def _answers(row: Row) -> Lie:
    name, tell, level, says, caught_by = row
    told: Callable[[list[Answer]], list[Answer]] = tell
    return Lie(name=name, says=says, caught_by=caught_by, level=level, answers=told)


def _body(row: Row) -> Lie:
    name, tell, level, says, caught_by = row
    told: Callable[[bytes], Spoken] = tell
    return Lie(name=name, says=says, caught_by=caught_by, level=level, body=told)


_RESULTS = (*_TRANSACTIONS, *_RECEIPTS, *_BLOCKS, *_ACCOUNTS, *_NODE)

LIES: Mapping[str, Lie] = {
    lie.name: lie
    for lie in (*map(_result, _RESULTS), *map(_answers, _ANSWERS), *map(_body, _BODIES))
}
