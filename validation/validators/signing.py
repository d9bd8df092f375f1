"""Who signed a transaction, for which chain, and whether the chain would accept the signature."""

from typing import Any, NamedTuple

from validation.rpc.schema import Transaction
from validation.validators.block_rules import DEVELOPMENT_CHAINS
from validation.validators.crypto import HALF_ORDER, recover, signed
from validation.validators.envelope import Envelope

_HOMESTEAD = 1_150_000  # Ethereum's own; before it a high s was accepted (EIP-2)
_ETHEREUM = 1


class Signer(NamedTuple):
    address: str
    """In lower case; empty where the signature is flawed."""
    flaw: str


def signer(tx: Transaction, envelope: Envelope, *, chain_id: int | None) -> Signer:
    """Recover the sender of a well-formed transaction; `chain_id` is the deployment's, if known."""
    fields: Any = tx
    if envelope.parity is None:
        y_parity = fields.y_parity if isinstance(fields.y_parity, str) else "absent"
        return Signer("", f"v is {fields.v}, yParity {y_parity}: they name no key")
    signature = signed(fields.r, fields.s, envelope.parity)
    if signature[32:64] > HALF_ORDER and not _before_homestead(tx, envelope, chain_id):
        return Signer("", f"s is {fields.s}, in the upper half of the curve's order")
    try:
        return Signer(recover(signature, envelope.digest), "")
    except ValueError as error:
        return Signer("", f"no key fits r {fields.r} and s {fields.s}: {error}")


def chain_id_flaw(tx: Transaction, envelope: Envelope, *, chain_id: int | None) -> str:
    """Where the ids that the node names, the signature covers and the deployment expects differ."""
    named = int(tx.chain_id, 16) if isinstance(tx.chain_id, str) else None
    covered = envelope.chain_id
    if named is not None and covered is not None and named != covered:
        return f"computed {covered} from v, the node says {named}"
    given = named if covered is None else covered
    if chain_id is not None and given is not None and given != chain_id:
        return f"the transaction is for chain {given}, this deployment for {chain_id}"
    return ""


def is_unbound(tx: Transaction, envelope: Envelope, *, chain_id: int | None) -> bool:
    """Whether the node names a chain id that neither a signature nor the deployment confirms."""
    return envelope.chain_id is None and chain_id is None and isinstance(tx.chain_id, str)


def is_unsigned(tx: Transaction, *, chain_id: int | None) -> bool:
    """Whether a development node sent it in the name of an account whose key it does not have: it
    signs with zeros, and makes its hash in a way of its own.
    """
    is_blank = tx.r == "0x0" and tx.s == "0x0"
    return is_blank and chain_id in DEVELOPMENT_CHAINS and tx.type_number is not None


UNSIGNED = "nobody signed it: the development node sent it in the name of another"


def _before_homestead(tx: Transaction, envelope: Envelope, chain_id: int | None) -> bool:
    return (
        envelope.chain_id is None
        and chain_id in {None, _ETHEREUM}
        and isinstance(tx.block_number, str)
        and int(tx.block_number, 16) < _HOMESTEAD
    )
