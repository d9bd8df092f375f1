"""What is wrong with the shape of a decoded answer: the field, and what it held."""

import re
from operator import attrgetter

from msgspec import UNSET

from validation.rpc import fields
from validation.rpc.schema import Block, Header, LeanBlock, Proof, Receipt, Transaction
from validation.rpc.shapes import ADDRESS, DATA, HASH, wrong

MAX_TOPICS = 4
MAX_PROOF_NODES = 65
"""A path of 64 digits passes a node a digit at most, and ends in one more."""
MAX_PROOF_NODE_CHARS = 2048
"""Of hex: the largest node, a full branch, has 532 bytes."""
MAX_SLOTS = 64

_LISTS = {
    0: (),
    1: (("access_list", "accessList"),),
    2: (("access_list", "accessList"),),
    3: (("access_list", "accessList"), ("blob_versioned_hashes", "blobVersionedHashes")),
    4: (("access_list", "accessList"), ("authorization_list", "authorizationList")),
}
_is_hash = re.compile(HASH).fullmatch
_is_address = re.compile(ADDRESS).fullmatch
_is_data = re.compile(DATA).fullmatch
_are_topics = re.compile(f"{HASH}(?:,{HASH}){{0,{MAX_TOPICS - 1}}}").fullmatch
_place_of = attrgetter("transaction_hash", "block_hash", "block_number", "transaction_index")


def transaction_flaw(tx: Transaction) -> str:
    number = tx.type_number
    if number is None:
        return fields.UNKNOWN_TYPE.flaw(tx)
    return fields.TRANSACTION[number].flaw(tx) or _lists_flaw(tx, number)


def _lists_flaw(tx: Transaction, number: int) -> str:
    if number and not tx.v and not tx.y_parity:
        return "yParity is missing"
    for attribute, name in _LISTS[number]:
        held = getattr(tx, attribute)
        if held is None or held is UNSET:
            return f"{name} is {'missing' if held is UNSET else 'null'}"
    for entry in tx.access_list or ():
        if not _is_address(entry.address):
            return wrong("accessList address", entry.address, ADDRESS)
        for key in entry.storage_keys:
            if not _is_hash(key):
                return wrong("accessList storageKeys", key, HASH)
    for versioned in tx.blob_versioned_hashes or ():
        if not _is_hash(versioned):
            return wrong("blobVersionedHashes", versioned, HASH)
    return next(filter(None, map(fields.AUTHORIZATION.flaw, tx.authorization_list or ())), "")


def receipt_flaw(receipt: Receipt) -> str:
    flaw = fields.RECEIPT.flaw(receipt)
    if flaw:
        return flaw
    if not receipt.status and not receipt.root:
        return "status is missing"
    place = _place_of(receipt)
    for log in receipt.logs:
        # A log nearly always repeats the place of its receipt, whose shape is known to be right.
        flaw = "" if _place_of(log) == place else fields.LOG_PLACE.flaw(log)
        flaw = flaw or fields.LOG.flaw(log) or _topics_flaw(log.topics)
        if flaw:
            return flaw
    return ""


def _topics_flaw(topics: tuple[str, ...]) -> str:
    if not topics or _are_topics(",".join(topics)):
        return ""
    if len(topics) > MAX_TOPICS:
        return f"log topics holds {len(topics)}, more than {MAX_TOPICS}"
    strange = next(topic for topic in topics if not _is_hash(topic))
    return wrong("log topics", strange, HASH)


def header_flaw(header: Header) -> str:
    flaw = fields.HEADER.flaw(header)
    if flaw:
        return flaw
    for uncle in header.uncles or ():
        if not _is_hash(uncle):
            return wrong("uncles", uncle, HASH)
    return next(filter(None, map(fields.WITHDRAWAL.flaw, header.withdrawals or ())), "")


def block_flaw(block: Block) -> str:
    for index, tx in enumerate(block.transactions):
        flaw = transaction_flaw(tx)
        if flaw:
            return f"transactions[{index}] {flaw}"
    return header_flaw(block)


def lean_block_flaw(block: LeanBlock) -> str:
    for held in block.transactions:
        if not _is_hash(held):
            return wrong("transactions", held, HASH)
    return header_flaw(block)


def proof_flaw(proof: Proof) -> str:
    flaw = fields.PROOF.flaw(proof) or _nodes_flaw("accountProof", proof.account_proof)
    if flaw:
        return flaw
    if len(proof.storage_proof) > MAX_SLOTS:
        return f"storageProof holds {len(proof.storage_proof)} slots, more than {MAX_SLOTS}"
    for index, slot in enumerate(proof.storage_proof):
        flaw = fields.SLOT.flaw(slot) or _nodes_flaw("proof", slot.proof)
        if flaw:
            return f"storageProof[{index}] {flaw}"
    return ""


def _nodes_flaw(name: str, nodes: tuple[str, ...]) -> str:
    if len(nodes) > MAX_PROOF_NODES:
        return f"{name} holds {len(nodes)} nodes, more than {MAX_PROOF_NODES}"
    for index, node in enumerate(nodes):
        if len(node) > MAX_PROOF_NODE_CHARS:
            return f"{name}[{index}] has {len(node)} characters, more than {MAX_PROOF_NODE_CHARS}"
        if not _is_data(node) or len(node) & 1:
            return wrong(f"{name}[{index}]", node, DATA)
    return ""


def receipts_flaw(receipts: tuple[Receipt, ...]) -> str:
    for index, receipt in enumerate(receipts):
        flaw = receipt_flaw(receipt)
        if flaw:
            return f"receipts[{index}] {flaw}"
    return ""
