"""What happens on the packaged chain: a seeded script of transactions, good and failing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from tiny_keccak import keccak256

from validation.devnode import bytecode, rlp

GWEI = 10**9
ETHER = 10**18
SENDERS = 48
OWNERS = 24  # accounts that only sign EIP-7702 authorisations
BLOBS_A_BLOCK = 6

type Fields = dict[str, Any]


def account(name: str) -> LocalAccount:
    """A key that anyone can derive: what it holds exists on this chain only."""
    signer: LocalAccount = Account.from_key(keccak256(f"switchyard demo {name}".encode()))
    return signer


def word(value: int) -> bytes:
    return value.to_bytes(32)


def created_by(sender: str, nonce: int) -> str:
    return "0x" + keccak256(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:].hex()


@dataclass(slots=True, kw_only=True)
class World:
    """What the script remembers: contracts by kind, nonces, and the price of the moment."""

    random: Random
    chain_id: int
    senders: Sequence[LocalAccount]
    owners: Sequence[LocalAccount]
    nonces: dict[str, int] = field(default_factory=dict)
    contracts: dict[str, list[str]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    base_fee: int = 12 * GWEI
    blobs_left: int = BLOBS_A_BLOCK

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def next_nonce(self, address: str) -> int:
        nonce = self.nonces.get(address, 0)
        self.nonces[address] = nonce + 1
        return nonce

    def contract(self, kind: str) -> str:
        return self.random.choice(self.contracts[kind])

    def stranger(self) -> str:
        """An address without a key: a new one, or one that got something before."""
        if not self.strangers or self.chance(0.55):
            self.strangers.append("0x" + self.random.randbytes(20).hex())
        return self.random.choice(self.strangers[-400:])


def new_world(chain_id: int, seed: int) -> World:
    return World(
        random=Random(seed),  # noqa: S311 - a reproducible story, not a secret
        chain_id=chain_id,
        senders=[account(f"sender {i}") for i in range(SENDERS)],
        owners=[account(f"owner {i}") for i in range(OWNERS)],
    )


# --- Each act names only what matters to it; `_signed` adds nonce, prices and type. ---


def _someone(w: World, unknown: float) -> str:
    return w.stranger() if w.chance(unknown) else w.random.choice(w.senders).address


def _transfer(w: World) -> Fields:
    to = _someone(w, 0.7)
    value = int(w.random.lognormvariate(-2, 1.5) * ETHER)
    return {"to": to, "value": min(value + 1, 2 * ETHER), "gas": 21_000}


def _note(w: World) -> Fields:
    text = b"invoice %d" % w.random.randrange(10**6)
    return {**_transfer(w), "data": text, "gas": 40_000}


def _mint(w: World) -> Fields:
    return {"to": w.contract("token"), "data": bytecode.selector("mint()"), "gas": 60_000}


def _token_call(w: World, amount: int) -> Fields:
    to = bytes.fromhex(_someone(w, 0.5)[2:])
    data = bytecode.selector("transfer(address,uint256)") + bytes(12) + to + word(amount)
    return {"to": w.contract("token"), "data": data, "gas": 80_000}


def _token(w: World) -> Fields:
    return _token_call(w, w.random.randrange(1, 10**15))


def _overdraft(w: World) -> Fields:
    return _token_call(w, 10**30)


def _set(w: World) -> Fields:
    data = word(w.random.randrange(64)) + word(w.random.getrandbits(w.random.choice((8, 64, 256))))
    return {"to": w.contract("registry"), "data": data, "gas": 90_000}


def _set_listed(w: World) -> Fields:
    fields = _set(w)
    entry = {"address": fields["to"], "storageKeys": ["0x" + fields["data"][:32].hex()]}
    return {**fields, "accessList": [entry], "type": w.random.choice((1, 1, 2))}


def _set_nothing(w: World) -> Fields:
    return {"to": w.contract("registry"), "data": b"", "gas": 50_000}


def _out_of_gas(w: World) -> Fields:
    return {"to": w.contract("burner"), "data": word(2**64), "gas": 120_000}


def burn(w: World, gas: int) -> Fields:
    rounds = max(1, gas // bytecode.BURNER_GAS_A_ROUND)
    return {"to": w.contract("burner"), "data": word(rounds), "gas": gas + gas // 20 + 40_000}


def _create(w: World) -> Fields:
    runtime = w.random.choice((bytecode.REGISTRY, bytecode.TOKEN, bytecode.BURNER))
    # Bytes after the code make every contract's code hash its own.
    return {"to": "", "data": bytecode.deploying(runtime + w.random.randbytes(4)), "gas": 400_000}


def _create_failing(w: World) -> Fields:
    return {"to": "", "data": bytecode.FAILING_INIT + w.random.randbytes(2), "gas": 100_000}


def _factory(w: World) -> Fields:
    good = w.chance(0.9)
    runtime = bytecode.deploying(bytecode.REGISTRY + w.random.randbytes(3))
    data = runtime if good else bytecode.FAILING_INIT
    return {"to": w.contract("factory"), "data": data, "gas": 400_000}


def _blob(w: World) -> Fields:
    count = min(w.random.choice((1, 1, 2, 3)), w.blobs_left)
    if not count:
        return _transfer(w)
    w.blobs_left -= count
    hashes = ["0x01" + w.random.randbytes(31).hex() for _ in range(count)]
    fields: Fields = {"maxFeePerBlobGas": 10 * GWEI, "blobVersionedHashes": hashes, "type": 3}
    to = w.contract("blob_reader") if w.chance(0.5) else w.stranger()
    # Something for everyone: an address touched with nothing would stay an empty account in anvil.
    return {**fields, "to": to, "value": w.random.randrange(1, 10**12), "gas": 120_000}


def _delegate(w: World) -> Fields:
    """Sets the code of one or two accounts, and calls the first; now and then takes it away."""
    owners = w.random.sample(list(w.owners), w.random.choice((1, 1, 2)))
    target = w.contract("wallet") if w.chance(0.85) else "0x" + "00" * 20
    signed = []
    for owner in owners:
        chain_id = w.random.choice((w.chain_id, w.chain_id, 0))  # 0: valid on every chain
        nonce = w.next_nonce(owner.address)
        fields = {"chainId": chain_id, "address": target, "nonce": nonce}
        signed.append(owner.sign_authorization(fields))
    to, value = owners[0].address, w.random.randrange(1, 10**15)
    return {"to": to, "value": value, "authorizationList": signed, "gas": 250_000, "type": 4}


def _call_delegated(w: World) -> Fields:
    value = w.random.randrange(1, 10**15)
    return {"to": w.random.choice(w.owners).address, "value": value, "gas": 100_000}


# act → how often of a thousand transactions
ACTS: Mapping[Callable[[World], Fields], int] = {
    _transfer: 430, _note: 40, _mint: 55, _token: 210, _overdraft: 18, _set: 60, _set_listed: 70,
    _set_nothing: 12, _out_of_gas: 8, _create: 16, _create_failing: 4, _factory: 14, _blob: 25,
    _delegate: 22, _call_delegated: 16,
}  # fmt: skip


def _priced(w: World, fields: Fields) -> Fields:
    tip = int(w.random.choice((0.01, 0.1, 0.5, 1, 1.5, 2, 3)) * GWEI)
    kind = fields.get("type", w.random.choice((0, 2, 2, 2)))
    if kind < 2:  # noqa: PLR2004 - types 0 and 1 have one price
        prices: Fields = {"gasPrice": w.base_fee * 5 // 4 + tip}
    else:
        ceiling = int(w.base_fee * w.random.uniform(1.2, 2.5)) + tip
        prices = {"maxFeePerGas": ceiling, "maxPriorityFeePerGas": tip}
    if kind:
        prices["type"] = kind
    return {"value": 0, "data": b"", **fields, **prices, "chainId": w.chain_id}


def signed(w: World, fields: Fields, sender: LocalAccount | None = None) -> str:
    """The raw transaction in hex; about one legacy one in 60 is unprotected, as before EIP-155."""
    by = sender or w.random.choice(w.senders)
    full = {**_priced(w, fields), "nonce": w.next_nonce(by.address)}
    if full["to"]:
        full["to"] = to_checksum_address(full["to"])
    if "type" not in full and w.chance(1 / 60):
        del full["chainId"]
    raw: str = by.sign_transaction(full).raw_transaction.to_0x_hex()
    return raw


def deployments(w: World) -> list[str]:
    """The first block: the contracts that the story needs."""
    kinds = {
        "token": bytecode.TOKEN, "registry": bytecode.REGISTRY, "burner": bytecode.BURNER,
        "factory": bytecode.FACTORY, "wallet": bytecode.WALLET,
        "blob_reader": bytecode.BLOB_READER,
    }  # fmt: skip
    raws = []
    for kind, runtime in kinds.items():
        for i in range(3 if kind in ("token", "registry") else 1):
            by = w.senders[i]
            w.contracts.setdefault(kind, []).append(
                created_by(by.address, w.nonces.get(by.address, 0))
            )
            creation = {"to": "", "data": bytecode.deploying(runtime), "gas": 600_000}
            raws.append(signed(w, creation, by))
    return raws


def a_block(w: World) -> list[str]:
    """One block's transactions: mostly twenty to sixty, and gas burnt to steer the base fee."""
    w.blobs_left = BLOBS_A_BLOCK
    count = min(90, max(3, int(w.random.gauss(40, 15))))
    acts = w.random.choices(list(ACTS), weights=list(ACTS.values()), k=count)
    raws = [signed(w, act(w)) for act in acts]
    dear, cheap = w.base_fee > 20 * GWEI, w.base_fee < 5 * GWEI
    low, high = (2, 12) if dear else (16, 24) if cheap else (4, 22)
    aim = w.random.randrange(low, high) * 1_000_000
    while aim > 0:
        share = min(aim, w.random.randrange(2, 9) * 1_000_000)
        raws.append(signed(w, burn(w, share)))
        aim -= share
    return raws
