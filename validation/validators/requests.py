"""The requests that a block makes of the consensus layer (EIP-7685), as far as receipts show them.

Deposits are logs of the deposit contract (EIP-6110). Withdrawals and consolidations leave no trace
in what JSON-RPC gives: where a block has any, its requests hash cannot be recomputed.
"""

from hashlib import sha256
from itertools import chain

from validation.rpc.schema import Block, Log
from validation.validators.block_evidence import BlockEvidence
from validation.validators.findings import Findings

_DEPOSITED = "0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5"
_CONTRACTS = {
    1: "0x00000000219ab540356cbb839cbe05303d7705fa",
    17_000: "0x4242424242424242424242424242424242424242",
    560_048: "0x00000000219ab540356cbb839cbe05303d7705fa",
    11_155_111: "0x7f02c3e3c98b133055b8b348b2ac625669ed295d",
}
_DEPOSIT_TYPE = b"\x00"
_WORD = 32
# Key, withdrawal credentials, amount, signature and index: where each lies in the log, behind its
# length, and how long it is. The contract makes no other.
_PARTS = ((192, 48), (288, 32), (352, 8), (416, 96), (544, 8))
_DATA_BYTES = 576


def examine(
    block: Block, evidence: BlockEvidence, findings: Findings, chain_id: int | None
) -> None:
    claimed = block.requests_hash
    if not isinstance(claimed, str):
        return
    contract = _CONTRACTS.get(chain_id, "") if chain_id is not None else ""
    logs = chain.from_iterable(receipt.logs for receipt in evidence.receipts)
    deposits = [_deposit(log) for log in logs if contract and _is_deposit(log, contract)]
    computed = requests_hash(b"".join(deposits))
    if computed == claimed.lower():
        findings.match("requests_hash", computed=computed, claimed=claimed.lower())
    else:
        text = f"it is {claimed}, with {len(deposits)} deposits alone it were {computed}"
        findings.skip("requests_hash", "requests_not_served", text)


def requests_hash(deposits: bytes) -> str:
    """Where there are no requests but these deposits, joined."""
    inner = sha256(_DEPOSIT_TYPE + deposits).digest() if deposits else b""
    return "0x" + sha256(inner).hexdigest()


def _is_deposit(log: Log, contract: str) -> bool:
    return (
        log.address.lower() == contract
        and bool(log.topics)
        and log.topics[0].lower() == _DEPOSITED
        and len(log.data) == 2 + 2 * _DATA_BYTES
    )


def _deposit(log: Log) -> bytes:
    content = bytes.fromhex(log.data[2:])
    return b"".join(content[at : at + size] for at, size in _PARTS)
