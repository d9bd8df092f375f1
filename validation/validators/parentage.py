"""A block against its parent: the link, the time between, and the fees that follow from it."""

from typing import Final

from validation.rpc.answers import Unreadable
from validation.rpc.schema import Block, Header
from validation.validators import block_rules
from validation.validators.asking import Ask
from validation.validators.findings import Ending, Findings, Flaw, mismatch
from validation.validators.header import NoHeader, verified_header

FUTURE_S: Final = 15
"""How far clocks may differ before a block counts as one from the future."""

_NO_PARENT = "0x" + "0" * 64


async def examine(block: Block, findings: Findings, *, ask: Ask) -> Ending | None:
    number = int(block.number, 16)
    if number == 0:
        findings.match("parent", computed=_NO_PARENT, claimed=block.parent_hash)
        _examine_time(block, None, findings, ask)
        return None
    parent = await verified_header(ask, block.parent_hash)
    if isinstance(parent, Unreadable):
        return findings.malformed(parent)
    if isinstance(parent, NoHeader):
        _report_missing(parent, block, findings)
        _examine_time(block, None, findings, ask)
        return None
    findings.match("parent", computed=int(parent.number, 16) + 1, claimed=number)
    _examine_time(block, parent, findings, ask)
    _examine_base_fee(block, parent, findings, ask)
    _examine_excess(block, parent, findings, ask)
    return None


def _report_missing(parent: NoHeader, block: Block, findings: Findings) -> None:
    if parent.reason:
        reason = "parent_not_served" if parent.reason == "block_not_served" else parent.reason
        findings.skip("parent", reason, parent.text)
    else:
        flaw = Flaw(f"the parent: {parent.text}", block.parent_hash.lower(), parent.computed)
        findings.settle("parent", flaw, node=parent.node)


def _examine_time(block: Block, parent: Header | None, findings: Findings, ask: Ask) -> None:
    time, now = int(block.timestamp, 16), int(ask.grounds.now())
    before = -1 if parent is None else int(parent.timestamp, 16)
    latest = now + FUTURE_S
    if time <= before:
        text = f"timestamp is {time}, the parent's {before}"
        _settle("timestamp", Flaw(text, f"at least {before + 1}", str(time)), findings, ask)
    elif time > latest:
        # The clock that is wrong may be the one here: nobody is accused.
        text = f"timestamp is {time}, {time - now} s ahead of this machine's clock"
        flaw = Flaw(text, f"at most {latest}", str(time))
        _settle("timestamp", flaw, findings, ask, node=None)
    else:
        findings.passed("timestamp")


def _examine_base_fee(block: Block, parent: Header, findings: Findings, ask: Ask) -> None:
    before, told = parent.base_fee_per_gas, block.base_fee_per_gas
    if isinstance(before, str):
        gas_used, gas_limit = int(parent.gas_used, 16), int(parent.gas_limit, 16)
        computed = block_rules.next_base_fee(int(before, 16), gas_used, gas_limit)
        if told == before and block_rules.keeps_first_fee(ask.chain_id, block.number):
            computed = int(before, 16)
    elif isinstance(told, str):
        computed = block_rules.INITIAL_BASE_FEE
    else:
        return  # before London
    claimed = int(told, 16) if isinstance(told, str) else "none"
    if computed == claimed:
        findings.match("base_fee", computed=computed, claimed=claimed)
    else:
        flaw = mismatch(computed, claimed)
        _settle("base_fee", flaw, findings, ask, time=int(block.timestamp, 16))


def _examine_excess(block: Block, parent: Header, findings: Findings, ask: Ask) -> None:
    told, time = block.excess_blob_gas, int(block.timestamp, 16)
    excess, used, base_fee = (
        int(held, 16) if isinstance(held, str) else 0
        for held in (parent.excess_blob_gas, parent.blob_gas_used, parent.base_fee_per_gas)
    )
    if not isinstance(told, str) and not isinstance(parent.excess_blob_gas, str):
        return  # before Cancun
    claimed = str(int(told, 16)) if isinstance(told, str) else "none"
    allowed = {
        str(block_rules.next_excess_blob_gas(rules, excess, used, base_fee))
        for rules in block_rules.blob_rules(ask.chain_id, time)
    }
    if claimed in allowed:
        findings.match("excess_blob_gas", computed=claimed, claimed=claimed)
    else:
        flaw = mismatch(" or ".join(sorted(allowed)) or "none", claimed)
        _settle("excess_blob_gas", flaw, findings, ask, time=time)


def _settle(
    name: str,
    flaw: Flaw,
    findings: Findings,
    ask: Ask,
    *,
    time: int = 0,
    node: str | None = "",
) -> None:
    """What breaks Ethereum's rules is wrong on Ethereum's own networks, and elsewhere unknown:
    layers on top of it have rules of their own, and whoever runs a development node may set its
    clock and its fees.
    """
    if block_rules.are_binding(ask.chain_id, time):
        findings.settle(name, flaw, node=node)
    else:
        text = f"{flaw.detail} by Ethereum's rules, which may not be this chain's"
        findings.skip(name, "unknown_rules", text)
