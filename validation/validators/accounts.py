"""Holds what a node says of an account at a block against the proof under its state root."""

from typing import Any

from tiny_keccak import keccak256

from validation.proofs import (
    EMPTY_ACCOUNT,
    EMPTY_CODE_HASH,
    EMPTY_ROOT,
    Account,
    BadProof,
    prove,
    read_slot,
    says_empty,
)
from validation.proofs.rlp import Malformed
from validation.rpc import Call, CallRefused
from validation.rpc.answers import Answer, read_data, read_proof, read_quantity, read_quantity_64
from validation.rpc.schema import Header, Proof, SlotProof
from validation.subjects import Subject
from validation.validators.asking import Ask
from validation.validators.findings import Ending, Findings, Flaw, mismatch

_ZERO_ROOT = "0x" + "00" * 32
_EMPTY_FIRST = ("0x" + EMPTY_ROOT.hex(), "0x0")
"""Development nodes have accounts before their first block, whose header says there are none."""
_METHOD_NOT_FOUND = -32601


async def examine(
    subject: Subject, header: Header, findings: Findings, *, ask: Ask
) -> Ending | None:
    """Settles what is proved of the account and its slots; `header` was verified."""
    if header.state_root == _ZERO_ROOT or (header.state_root, header.number) == _EMPTY_FIRST:
        text = f"the header of block {int(header.number, 16)} has {header.state_root}, which is of"
        findings.skip("account", "no_state_root", f"{text} no state, for its state root")
        return None
    try:
        reply = await ask.fetch(_calls(subject, header.number))
    except CallRefused as refused:
        block, is_unknown = int(header.number, 16), refused.code == _METHOD_NOT_FOUND
        reason = "proofs_not_supported" if is_unknown else "proof_not_served"
        text = f"{refused.node} refuses the account's proof at block {block}: {refused}"
        findings.skip("account", reason, text)
        return None
    ending = findings.malformed(*reply.values)
    if ending is not None:
        return ending
    findings.passed("well_formed")
    answer: Answer | None = reply.values[0]
    if answer is None:
        text = f"{reply.node} has no proof of the account at block {int(header.number, 16)}"
        findings.skip("account", "proof_not_served", text)
        return None
    # Two nodes may stand on two forks: only who said both can be to blame.
    blamed = reply.node if reply.node == findings.node else None
    may_move = ask.grounds.may_move(int(header.number, 16))
    said = _Said(answer.value, reply.values[1:], blamed, None if may_move else blamed)
    _examine_account(subject, header, said, findings)
    return None


def _calls(subject: Subject, number: str) -> tuple[Call, ...]:
    params = (subject.address, number)
    return (
        Call("eth_getProof", (subject.address, subject.slots, number), read_proof),
        Call("eth_getBalance", params, read_quantity),
        Call("eth_getTransactionCount", params, read_quantity_64),
        Call("eth_getCode", params, read_data),
    )


class _Said:
    """What the node said of the account, and who is to blame for it: for what the proof's answer
    contradicts in itself, and for what two answers contradict each other in, which a fork explains.
    """

    __slots__ = ("balance", "blamed", "blamed_apart", "code", "nonce", "proof")

    def __init__(
        self, proof: Proof, told: Any, blamed: str | None, blamed_apart: str | None
    ) -> None:
        self.proof = proof
        self.balance, self.nonce, self.code = told
        self.blamed = blamed
        self.blamed_apart = blamed_apart


def _examine_account(subject: Subject, header: Header, said: _Said, findings: Findings) -> None:
    proof, blamed, apart = said.proof, said.blamed, said.blamed_apart
    own = subject.address.lower()
    if proof.address.lower() != own:
        flaw = f"asked for a proof of {own}, got one of {proof.address.lower()}"
        findings.fail("asked", flaw, computed=own, claimed=proof.address.lower(), node=blamed)
        return
    findings.passed("asked")
    account = _proved(own, header, proof)
    if isinstance(account, Flaw):
        findings.settle("account", account, node=apart)
        return
    findings.settle("account", _claims_flaw(proof, account), node=blamed)
    findings.match("balance", computed=account.balance, claimed=int(said.balance, 16), node=apart)
    findings.match("nonce", computed=account.nonce, claimed=int(said.nonce, 16), node=apart)
    code_hash = EMPTY_CODE_HASH if said.code == "0x" else keccak256(bytes.fromhex(said.code[2:]))
    findings.match(
        "code", computed=_hexed(account.code_hash), claimed=_hexed(code_hash), node=apart
    )
    if subject.slots:
        findings.settle("storage", _slots_flaw(subject, account, proof), node=blamed)


def _proved(address: str, header: Header, proof: Proof) -> Account | Flaw:
    root, key = bytes.fromhex(header.state_root[2:]), keccak256(bytes.fromhex(address[2:]))
    try:
        value = prove(root, key, _nodes(proof.account_proof))
        return EMPTY_ACCOUNT if value is None else Account.read(value)
    except (BadProof, Malformed) as error:
        return Flaw(f"under state root {header.state_root}: {error}", claimed=_claimed(proof))


def _claims_flaw(proof: Proof, account: Account) -> Flaw | None:
    """Whether the fields beside the proof are what it proves."""
    storage, code = bytes.fromhex(proof.storage_hash[2:]), bytes.fromhex(proof.code_hash[2:])
    claimed = Account(int(proof.nonce, 16), int(proof.balance, 16), storage, code)
    if claimed == account:
        return None
    is_empty = account == EMPTY_ACCOUNT and not claimed.nonce and not claimed.balance
    if is_empty and says_empty(storage, code):
        return None
    return mismatch(_told(account), _told(claimed))


def _slots_flaw(subject: Subject, account: Account, proof: Proof) -> Flaw | str:
    slots, proved = subject.slots, proof.storage_proof
    if len(proved) != len(slots):
        return f"asked for {len(slots)} slots, got {len(proved)}"
    for slot, answer in zip(slots, proved, strict=True):
        flaw = _slot_flaw(slot, account, answer)
        if flaw:
            return flaw
    return ""


def _slot_flaw(slot: str, account: Account, proved: SlotProof) -> Flaw | str:
    if int(proved.key, 16) != int(slot, 16):
        return f"asked for slot {slot}, got {proved.key}"
    key = keccak256(bytes.fromhex(slot[2:]))
    try:
        computed = hex(read_slot(prove(account.storage_root, key, _nodes(proved.proof))))
    except (BadProof, Malformed) as error:
        return Flaw(f"slot {slot}: {error}", claimed=proved.value)
    if int(proved.value, 16) == int(computed, 16):
        return ""
    return mismatch(computed, proved.value, f"slot {slot}")


def _nodes(proof: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(node[2:]) for node in proof]


def _hexed(digest: bytes) -> str:
    return "0x" + digest.hex()


def _told(account: Account) -> str:
    return (
        f"nonce {account.nonce}, balance {account.balance},"
        f" storage {_hexed(account.storage_root)}, code {_hexed(account.code_hash)}"
    )


def _claimed(proof: Proof) -> str:
    return f"nonce {int(proof.nonce, 16)}, balance {int(proof.balance, 16)}"
