"""The packaged chain's contracts, in EVM assembly so that making it needs no compiler."""

from tiny_keccak import keccak256

_OPCODES = {
    "STOP": 0x00, "ADD": 0x01, "SUB": 0x03, "LT": 0x10, "EQ": 0x14, "ISZERO": 0x15, "SHR": 0x1C,
    "KECCAK256": 0x20, "ADDRESS": 0x30, "CALLER": 0x33, "CALLVALUE": 0x34, "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36, "CALLDATACOPY": 0x37, "CODECOPY": 0x39, "NUMBER": 0x43, "BLOBHASH": 0x49,
    "MLOAD": 0x51, "MSTORE": 0x52, "SLOAD": 0x54, "SSTORE": 0x55, "JUMP": 0x56, "JUMPI": 0x57,
    "JUMPDEST": 0x5B, "PUSH0": 0x5F, "DUP1": 0x80, "DUP2": 0x81, "DUP3": 0x82, "SWAP1": 0x90,
    "LOG0": 0xA0, "LOG1": 0xA1, "LOG2": 0xA2, "LOG3": 0xA3, "LOG4": 0xA4, "CREATE": 0xF0,
    "RETURN": 0xF3, "REVERT": 0xFD, "INVALID": 0xFE,
}  # fmt: skip


def selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]


def topic(signature: str) -> str:
    return "0x" + keccak256(signature.encode()).hex()


def assemble(source: str) -> bytes:
    """Mnemonics; `0x…` pushes; `name:` is a jump's target and `@name` pushes its place."""
    code = bytearray()
    targets: dict[str, int] = {}
    wanted: dict[int, str] = {}
    for word in source.split():
        if word.endswith(":"):
            targets[word[:-1]] = len(code)
            code.append(_OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            wanted[len(code) + 1] = word[1:]
            code += b"\x61\x00\x00"  # PUSH2
        elif word.startswith("0x"):
            value = bytes.fromhex(word[2:])
            code += bytes([0x5F + len(value)]) + value
        else:
            code.append(_OPCODES[word])
    for place, name in wanted.items():
        code[place : place + 2] = targets[name].to_bytes(2)
    return bytes(code)


def deploying(runtime: bytes) -> bytes:
    """Init code that leaves `runtime` as the account's code."""
    size, start = len(runtime), 11  # the eleven bytes of init code themselves
    return assemble(f"0x{size:04x} DUP1 0x{start:04x} PUSH0 CODECOPY PUSH0 RETURN") + runtime


# Balances by address, `mint()` and `transfer(address,uint256)`; an overdraft reverts.
TOKEN = assemble(f"""
    PUSH0 CALLDATALOAD 0xe0 SHR
    DUP1 0x{selector("transfer(address,uint256)").hex()} EQ @transfer JUMPI
    DUP1 0x{selector("mint()").hex()} EQ @mint JUMPI
    fail: PUSH0 DUP1 REVERT
    mint: CALLER SLOAD 0x0de0b6b3a7640000 ADD CALLER SSTORE STOP
    transfer:
    0x24 CALLDATALOAD CALLER SLOAD DUP2 DUP2 LT @fail JUMPI
    DUP2 SWAP1 SUB CALLER SSTORE
    0x04 CALLDATALOAD DUP1 SLOAD DUP3 ADD DUP2 SSTORE
    SWAP1 PUSH0 MSTORE
    CALLER {topic("Transfer(address,address,uint256)")} 0x20 PUSH0 LOG3
    0x01 PUSH0 MSTORE 0x20 PUSH0 RETURN
""")

# Calldata is slot and value; stores it and says so. Without calldata it reverts.
REGISTRY = assemble(f"""
    CALLDATASIZE ISZERO @fail JUMPI
    0x20 CALLDATALOAD DUP1 PUSH0 MSTORE
    PUSH0 CALLDATALOAD SSTORE
    PUSH0 CALLDATALOAD {topic("Set(uint256,uint256)")} 0x20 PUSH0 LOG2
    CALLER PUSH0 MSTORE 0x20 PUSH0 LOG0 STOP
    fail: 0x{b"no value given".hex()} PUSH0 MSTORE 0x20 PUSH0 REVERT
""")

# Hashes as many times as calldata says: fills blocks, or runs out of gas.
BURNER = assemble("""
    PUSH0 CALLDATALOAD
    again: DUP1 ISZERO @end JUMPI
    0x40 PUSH0 KECCAK256 PUSH0 MSTORE 0x01 SWAP1 SUB @again JUMP
    end: STOP
""")
BURNER_GAS_A_ROUND = 95

# Creates a contract from the init code in calldata; fails where that fails.
FACTORY = assemble(f"""
    CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY
    CALLDATASIZE PUSH0 CALLVALUE CREATE
    DUP1 ISZERO @fail JUMPI
    {topic("Created(address)")} PUSH0 DUP1 LOG2 STOP
    fail: PUSH0 DUP1 REVERT
""")

# What EIP-7702 accounts delegate to: counts its calls in the account's own storage.
WALLET = assemble(f"""
    PUSH0 SLOAD 0x01 ADD DUP1 PUSH0 SSTORE
    PUSH0 MSTORE ADDRESS CALLER CALLVALUE {topic("Received(uint256,address,address)")}
    0x20 PUSH0 LOG4 STOP
""")

# Keeps the first blob's versioned hash under the block's number.
BLOB_READER = assemble(f"""
    PUSH0 BLOBHASH DUP1 NUMBER SSTORE
    PUSH0 MSTORE {topic("Blob(bytes32)")} 0x20 PUSH0 LOG1 STOP
""")

FAILING_INIT = assemble("PUSH0 DUP1 REVERT")
