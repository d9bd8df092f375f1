"""Level 4: the block is linked to the trusted checkpoint; and on to level 5 where that is asked."""

from validation.validators import final
from validation.validators.asking import Ask
from validation.validators.findings import Findings

LEVEL = 4
EARNED_BY = {LEVEL: frozenset({"anchored"}), final.LEVEL: frozenset({"final"})}


async def examine(
    number: int, block_hash: str, findings: Findings, *, level: int, ask: Ask
) -> None:
    """Settles `anchored` and `final`, as far as `level` asks for them, of a block that an item is
    in, or is, and whose header was verified. RpcError where no node gives what it takes.
    """
    if level < LEVEL or findings.failed:
        return
    block_hash = block_hash.lower()
    lineage = ask.grounds.lineage
    if lineage is None:
        findings.skip("anchored", "no_checkpoint", _NO_CHECKPOINT)
        return
    link = await lineage.link(number, block_hash, ask)
    if link.skip_reason:
        findings.skip("anchored", link.skip_reason, link.skip_text)
    elif link.flaw:
        # Above what is final two blocks may stand at one number, but never another checkpoint.
        is_sure = not ask.grounds.may_move(number) or link.computed == lineage.checkpoint.hash
        blamed = link.node if is_sure else None
        findings.fail(
            "anchored", link.flaw, computed=link.computed, claimed=link.claimed, node=blamed
        )
    else:
        trusted = lineage.checkpoint.number
        linked = f"{link.links} headers link it to checkpoint {trusted}" if ask.explain else ""
        findings.passed("anchored", linked)
        if level > LEVEL:
            await final.examine(number, block_hash, findings, ask=ask)


_NO_CHECKPOINT = "no trusted block is configured: set CHECKPOINT to number:hash of one, and restart"
