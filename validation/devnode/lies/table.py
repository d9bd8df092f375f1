"""The table of lies: name, what is said of what, and the check that must catch it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from validation.devnode.lies import accounts as a
from validation.devnode.lies import foreign as t
from validation.devnode.lies import forgeries as f
from validation.devnode.lies import replies as r
from validation.devnode.lies import results as s
from validation.devnode.lies.forgery import Forge, forged
from validation.devnode.lies.lie import Answer, Lie, Spoken

type Promises = Mapping[str, int | None]


class Basis(NamedTuple):
    """What catches a lie, and why nothing does before."""

    caught_by: str
    why: str


type Row = tuple[str, Callable[..., Any], Promises, str, Basis]

_UNREAD = "level 0 looks only at whether an answer came"
_UNHASHED = "nothing is computed from it before level 2"
_FORM = Basis("the answer is well-formed and about what was asked", _UNREAD)
_TX_HASH = Basis("the transaction's hash, recomputed", _UNHASHED)
_SENDER = Basis("the sender, recovered from the signature", _UNHASHED)
_HEADER = Basis("the header's hash, recomputed", _UNHASHED)
_RECEIPT = Basis("the receipt against its transaction", _UNHASHED)
_PLACE = Basis("every place that names the block, against each other", _UNHASHED)
_RECEIPTS_ROOT = Basis("the receipts root", "no hash or signature of the transaction covers it")
_DERIVED = Basis(
    "derived from the block's receipts",
    "no hash covers it: only the block's other receipts give it away",
)
_CONTENTS = Basis("the block's roots and rules", "level 2 hashes the header and believes its roots")
_STATE = Basis("the proof against the state root", "nothing covers it but the state root")
_LINKED = Basis(
    "the headers that link it to the checkpoint",
    "it is consistent in itself: only what others say of the chain gives it away",
)
_WITHHELD = Basis("what is withheld is missed", "it is not asked for below that level")
_IDS = Basis("answers are bound to calls by id", "")
_PARSER = Basis("the client's parser", "")
_CLIENT = Basis("the client, by its bounds and the HTTP status", "")
_CHAIN = Basis("the configured chain id", "")
_OTHERS = Basis(
    "another node", "a node alone can always say that there is nothing, or nothing newer"
)
_FINAL = Basis(
    "other nodes, asked what is final to them", "nothing final is asked for below level 5"
)
_UNKNOWN = Basis("skipped, so that the item is unverifiable", _UNREAD)
_HARMLESS = Basis("nothing: the specification allows it", "it is no lie, and must do no harm")


def _of(level: int | None, *kinds: str) -> Promises:
    return dict.fromkeys(kinds, level)


def _everything(level: int | None) -> Promises:
    return _of(level, "tx", "block", "address", "head")


def _forging(name: str, forge: Forge) -> tuple[str, Callable[..., Any]]:
    return name, forged(name, forge)


_TX = _of(2, "tx", "block")
_TX_FORM = _of(1, "tx", "block")
_OWN = (t.RECEIPT,)
_IN_FULL = (t.BLOCK_BY_HASH, t.BLOCK_BY_NUMBER)


def _tx(name: str, change: Callable[[str], object]) -> Callable[..., Any]:
    return s.altered(s.transactions, name, change)


def _receipt(name: str, change: Callable[[str], object]) -> Callable[..., Any]:
    return s.altered(s.receipts, name, change)


def _block(name: str, change: Callable[[str], object]) -> Callable[..., Any]:
    return s.altered(s.blocks, name, change)


_TRANSACTIONS: Iterable[Row] = (
    ("tx-value", _tx("value", s.raised), _TX, "one wei more is sent", _TX_HASH),
    ("tx-value-in-block", t.only(_IN_FULL, _tx("value", s.raised)), _of(2, "block"),
     "one wei more is sent, says the block alone", _TX_HASH),
    ("tx-input", _tx("input", s.flipped), _TX, "one bit of the input", _TX_HASH),
    ("tx-recipient", _tx("to", s.flipped), _TX, "another recipient", _TX_HASH),
    ("tx-nonce", _tx("nonce", s.raised), _TX, "the next nonce", _TX_HASH),
    ("tx-gas", _tx("gas", s.raised), _TX, "one more gas allowed", _TX_HASH),
    ("tx-chain-id", _tx("chainId", s.raised), _TX, "another chain", _TX_HASH),
    ("tx-hash", _tx("hash", s.flipped), {"tx": 1, "block": 2}, "another hash than asked", _TX_HASH),
    ("tx-sender", _tx("from", s.flipped), _TX, "a forged sender", _SENDER),
    ("tx-signature", s.reshaped(s.transactions, s.swap_signature), _TX, "r and s swapped",
     _TX_HASH),
    ("tx-high-s", s.reshaped(s.transactions, s.high_s), _TX, "the signature's high twin", _TX_HASH),
    ("tx-block", _tx("blockHash", s.flipped), _TX, "another block holds it", _PLACE),
    ("tx-index", _tx("transactionIndex", s.raised), _TX, "the next place in its block", _PLACE),
    ("tx-another", t.another_transaction, _of(1, "tx"), "another transaction of its block, true",
     _FORM),
    ("unknown-type", s.reshaped(s.transactions, s.unknown_type), _TX_FORM,
     "a transaction type nobody knows", _UNKNOWN),
    ("extra-field", s.reshaped(s.transactions, s.unheard_field), _TX_FORM,
     "a field nobody knows", _UNKNOWN),
    ("missing-field", s.reshaped(s.transactions, s.lose_nonce), _of(0, "tx", "block"),
     "no nonce", _FORM),
    ("zero-led", _tx("value", s.zero_led), _of(0, "tx", "block"),
     "quantities with leading zeros", _FORM),
)  # fmt: skip

_RECEIPTS: Iterable[Row] = (
    ("receipt-status", _receipt("status", s.other_status), _of(3, "tx"),
     "failed said to have succeeded, and the reverse", _RECEIPTS_ROOT),
    ("receipt-status-alone", t.only(_OWN, _receipt("status", s.other_status)), _of(3, "tx"),
     "the same, while the block's receipts are true", _RECEIPTS_ROOT),
    ("receipt-tx-hash", _receipt("transactionHash", s.flipped), _of(1, "tx"),
     "the receipt of another hash", _FORM),
    ("receipt-block", _receipt("blockHash", s.flipped), _of(2, "tx"), "another block", _PLACE),
    ("receipt-from", _receipt("from", s.flipped), _of(2, "tx"), "another sender", _RECEIPT),
    ("receipt-to", _receipt("to", s.flipped), _of(2, "tx"), "another recipient", _RECEIPT),
    ("receipt-type", _receipt("type", s.raised), _of(2, "tx"), "the next type", _RECEIPT),
    ("receipt-index", _receipt("transactionIndex", s.raised), _of(2, "tx"),
     "the next place in its block", _PLACE),
    ("receipt-contract", _receipt("contractAddress", s.flipped), _of(2, "creation"),
     "another contract was created", _RECEIPT),
    ("receipt-gas", _receipt("cumulativeGasUsed", s.raised), _of(3, "tx"),
     "one more gas used in the block so far", _RECEIPTS_ROOT),
    ("receipt-gas-used", _receipt("gasUsed", s.lowered), _of(3, "tx"),
     "one gas less used by it", _DERIVED),
    ("receipt-price", _receipt("effectiveGasPrice", s.raised), _of(3, "tx"),
     "one wei more paid a gas", _DERIVED),
    ("receipt-log", s.reshaped(s.receipts, s.alter_log), _of(3, "tx"), "one bit of each log",
     _RECEIPTS_ROOT),
    ("receipt-log-alone", t.only(_OWN, s.reshaped(s.receipts, s.alter_log)), _of(3, "tx"),
     "the same, while the block's receipts are true", _RECEIPTS_ROOT),
    ("receipt-log-index", s.reshaped(s.receipts, s.shift_logs), _of(3, "tx"),
     "logs one place further in the block", _DERIVED),
    ("receipt-dropped-log", s.reshaped(s.receipts, s.drop_log), _of(3, "tx"),
     "the last log is left out", _RECEIPTS_ROOT),
    ("receipt-bloom", _receipt("logsBloom", s.flipped), _of(2, "tx"), "one bit of the bloom",
     Basis("the bloom of its logs", _UNHASHED)),
    ("receipt-another", t.another_receipt, _of(1, "tx"),
     "the receipt of another transaction of its block, true", _FORM),
    ("receipt-relabelled", t.relabelled_receipt, _of(3, "tx"),
     "another receipt under this hash, sender and block", _RECEIPTS_ROOT),
    ("receipts-another", t.receipts_of_another_block, _of(3, "block"),
     "the receipts of the block before, for a block's", _CONTENTS),
)  # fmt: skip

_HEADERS = _of(2, "block", "head")
_BLOCKS: Iterable[Row] = (
    ("block-hash", _block("hash", s.flipped), _HEADERS, "another hash", _HEADER),
    ("block-number", _block("number", s.raised), {"block": 1, "head": 2}, "the next number",
     _HEADER),
    ("block-parent", _block("parentHash", s.flipped), _HEADERS, "another parent", _HEADER),
    ("block-state-root", _block("stateRoot", s.flipped), _HEADERS, "another state", _HEADER),
    ("block-base-fee", _block("baseFeePerGas", s.raised), _HEADERS, "one wei more a gas", _HEADER),
    ("block-timestamp", _block("timestamp", s.in_a_century), _HEADERS, "a century later", _HEADER),
    ("block-bloom", _block("logsBloom", s.flipped), _HEADERS, "one bit of the bloom", _HEADER),
    ("block-gas-used", _block("gasUsed", s.raised), _HEADERS, "one more gas used", _HEADER),
    ("block-swapped-roots", s.reshaped(s.blocks, s.swap_roots), _HEADERS,
     "roots of transactions and receipts swapped", _HEADER),
    ("block-withdrawal", s.reshaped(s.blocks, s.add_withdrawal), _of(3, "block"),
     "a withdrawal that never was, under the true root", _CONTENTS),
    ("block-tx-hash", s.reshaped(s.blocks, s.forge_transaction_hash), _of(2, "block"),
     "the first transaction's hash forged", _TX_HASH),
    ("block-dropped-tx", s.reshaped(s.blocks, s.drop_transaction), _of(3, "block"),
     "the last transaction is left out, under the true root", _CONTENTS),
    ("block-doubled-tx", s.reshaped(s.blocks, s.double_transaction), _of(2, "block"),
     "the last transaction twice", _PLACE),
    ("block-another", t.another_block, {"block": 1, "head": None},
     "the block before, true", _FORM),
    ("block-relabelled", t.relabelled_block, _HEADERS,
     "the block before under this one's number and hash", _HEADER),
)  # fmt: skip

# Forged all through: sealed anew, so that hashes fit and everything names the same block.
_FORGED: Promises = _of(4, "tx", "block", "head", "address")
_FORGED_RULES: Promises = {"tx": 4, "block": 3, "head": 3, "address": 4}
_FORGERIES: Iterable[Row] = (
    (*_forging("forged-payment", f.payment), _FORGED,
     "a transaction that was never sent, in a block made for it", _LINKED),
    (*_forging("forged-log", f.log_data), _FORGED, "logs altered, in a block made for them",
     _LINKED),
    (*_forging("forged-status", f.status), _FORGED,
     "what failed succeeded, in a block made for it", _LINKED),
    (*_forging("forged-dropped-tx", f.dropped), _FORGED,
     "a transaction left out, in a block made for it", _LINKED),
    (*_forging("forged-withdrawal", f.withdrawal), _FORGED,
     "a withdrawal that never was, in a block made for it", _LINKED),
    (*_forging("forged-miner", f.miner), _FORGED,
     "another fee recipient, the header hashed anew", _LINKED),
    (*_forging("forged-base-fee", f.base_fee), _FORGED_RULES,
     "one wei more a gas, the header hashed anew", _CONTENTS),
    (*_forging("forged-timestamp", f.timestamp), _FORGED_RULES,
     "a century later, the header hashed anew", _CONTENTS),
    (*_forging("forged-parent", f.parent), _FORGED_RULES,
     "a parent that never was, the header hashed anew", _CONTENTS),
    (*_forging("forged-swapped-roots", f.roots),
     {"tx": 3, "block": 3, "head": 3, "address": 4},
     "roots swapped, the header hashed anew", _CONTENTS),
    (*_forging("forged-bloom", f.bloom), _FORGED_RULES,
     "one bit of the bloom, the header hashed anew", _CONTENTS),
    (*_forging("forged-gas-used", f.gas_used), _FORGED_RULES,
     "one more gas used, the header hashed anew", _CONTENTS),
    (*_forging("forged-blob-gas", f.blob_gas), _FORGED_RULES,
     "the gas of one more blob, the header hashed anew", _CONTENTS),
    (*_forging("forged-withdrawals-root", f.withdrawals_root), _FORGED_RULES,
     "another withdrawals root, the header hashed anew", _CONTENTS),
)  # fmt: skip

_ACCOUNT = _of(3, "address")
_SLOT = _of(3, "slot")
_ACCOUNTS: Iterable[Row] = (
    ("account-balance", s.answering(a.BALANCE, s.raised), _ACCOUNT, "one wei more", _STATE),
    ("account-balance-repeated", a.value(a.BALANCE, "balance", s.raised), _ACCOUNT,
     "one wei more, in the proof's answer too", _STATE),
    ("account-nonce", s.answering(a.NONCE, s.raised), _ACCOUNT, "one more", _STATE),
    ("account-nonce-repeated", a.value(a.NONCE, "nonce", s.raised), _ACCOUNT,
     "one more, in the proof's answer too", _STATE),
    ("account-code", s.answering(a.CODE, s.flipped), _ACCOUNT, "one bit of the code", _STATE),
    ("account-code-and-hash", a.code_and_its_hash, _ACCOUNT,
     "one bit of the code, and the hash of that", _STATE),
    ("account-absent", a.absence, _ACCOUNT, "no such account, proved by a proof cut short",
     _STATE),
    ("proof-cut", a.proof(a.cut), _ACCOUNT, "the proof's last node is left out", _STATE),
    ("proof-surplus", a.proof(a.surplus), _ACCOUNT, "the proof's last node twice", _STATE),
    ("proof-altered", a.proof(a.altered), _ACCOUNT, "one bit of the proof's last node", _STATE),
    ("proof-another", a.proof(a.foreign_nodes), _ACCOUNT, "the nodes that prove another account",
     _STATE),
    ("proof-relabelled", a.proof(a.another_account), _ACCOUNT,
     "the whole proof of another account under this address", _STATE),
    ("storage-root", a.proof(a.storage_root), _ACCOUNT, "another storage root", _STATE),
    ("slot-value", a.proof(a.slot_value), _SLOT, "each storage slot one higher", _STATE),
    ("slot-absent", a.proof(a.slot_absence), _SLOT,
     "each storage slot empty, proved by a proof cut short", _STATE),
    ("forged-state", a.forged_state, _of(4, "address", "slot", "head"),
     "a state in which everybody has a wei more, under a header made for it", _LINKED),
)  # fmt: skip

_NODE: Iterable[Row] = (
    ("chain-id", s.answering("eth_chainId", s.raised), _everything(0), "the next chain's id",
     _CHAIN),
    ("stale-head", t.stale_head, _of(None, "head"), "a head 100 blocks back, true in itself",
     _OTHERS),
    ("finalized-behind", t.finality_behind, _of(5, "tx", "block"),
     "a final block 100 blocks back", _FINAL),
    ("finalized-ahead", t.finality_ahead, _of(5, "unfinal"), "the newest block is final", _FINAL),
    ("null-result", t.nothing, _of(None, "tx", "block", "head"), "null for what exists", _OTHERS),
    ("null-receipt", t.withheld(t.RECEIPT), _of(1, "tx"), "no receipt for what is in a block",
     Basis("a transaction in a block has a receipt", _UNREAD)),
    ("withheld-block", t.withheld(t.BLOCK_BY_HASH), _of(3, "tx"), "no such block, by its hash",
     _WITHHELD),
    ("withheld-receipts", t.withheld(t.RECEIPTS), _of(3, "tx", "block"),
     "no receipts of the block", _WITHHELD),
    ("withheld-proof", t.withheld(t.PROOF), _ACCOUNT, "no proof of the account", _WITHHELD),
)  # fmt: skip

_ANSWERS: Iterable[Row] = (
    ("wrong-id", r.wrong_ids, _everything(0), "ids that nobody gave", _IDS),
    ("retyped-id", r.retyped_ids, _everything(0), "numbers as strings and the reverse", _IDS),
    ("missing-id", r.missing_ids, _everything(0), "answers without ids", _IDS),
    ("missing-answer", r.missing_answer, _everything(0), "the last answer is left out", _IDS),
    ("duplicate-id", r.duplicate_ids, _everything(0), "all answers under the first id", _IDS),
    ("duplicate-answer", r.duplicated_answer, _everything(0), "the first answer twice", _IDS),
    ("crossed-ids", r.crossed_ids, _everything(0), "each answer under its neighbour's id", _FORM),
    ("result-and-error", r.result_and_error, _everything(0), "a result and an error at once",
     _PARSER),
    ("shuffled", r.reversed_order, _everything(None), "answers in reverse order", _HARMLESS),
)  # fmt: skip

_BODIES: Iterable[Row] = (
    ("not-json", r.not_json, _everything(0), "a proxy's words", _PARSER),
    ("html", r.html, _everything(0), "a sign-in page", _PARSER),
    ("truncated", r.truncated, _everything(0), "two thirds of the reply", _PARSER),
    ("nan", r.not_a_number, _everything(0), "NaN as a result", _PARSER),
    ("doubled-keys", r.doubled_keys, _everything(0), "result twice in each answer", _PARSER),
    ("nesting-bomb", r.nesting_bomb, _everything(0), "100 000 brackets", _PARSER),
    ("huge-body", r.huge_body, _everything(0), "the reply and 100 MB of blanks", _CLIENT),
    ("redirect", r.redirect, _everything(0), "the reply is elsewhere", _CLIENT),
    ("bad-gateway", r.server_error, _everything(0), "HTTP 502", _CLIENT),
)  # fmt: skip


def _result(row: Row) -> Lie:
    name, tell, promises, says, basis = row
    return Lie(name=name, says=says, promises=promises, **basis._asdict(), result=tell)


def _answers(row: Row) -> Lie:
    name, tell, promises, says, basis = row
    told: Callable[[list[Answer]], list[Answer]] = tell
    is_harmless = basis is _HARMLESS
    return Lie(
        name=name, says=says, promises=promises, **basis._asdict(), is_harmless=is_harmless,
        answers=told,
    )  # fmt: skip


def _body(row: Row) -> Lie:
    name, tell, promises, says, basis = row
    told: Callable[[bytes], Spoken] = tell
    return Lie(name=name, says=says, promises=promises, **basis._asdict(), body=told)


_RESULTS = (*_TRANSACTIONS, *_RECEIPTS, *_BLOCKS, *_FORGERIES, *_ACCOUNTS, *_NODE)

LIES: Mapping[str, Lie] = {
    lie.name: lie
    for lie in (*map(_result, _RESULTS), *map(_answers, _ANSWERS), *map(_body, _BODIES))
}
