"""Level 5: the block is final, by the word of the node and of the others.

No node can be caught here: what is final is told by the consensus layer, which nobody asks yet
(docs/adr/0007). Where nodes disagree it is said who said what, and the item is not accused.
"""

from validation.validators.asking import Ask
from validation.validators.findings import Findings

LEVEL = 5


async def examine(number: int, block_hash: str, findings: Findings, *, ask: Ask) -> None:
    """Settles `final` of a block that is linked to the checkpoint."""
    standing = await ask.grounds.finals.of(number, block_hash, ask)
    if standing.agreed:
        by = f"by the word of {', '.join(standing.agreed)}" if ask.explain else ""
        findings.passed("final", by)
    elif standing.reason:
        findings.skip("final", standing.reason, standing.text)
    else:
        findings.fail(
            "final",
            standing.text,
            computed=standing.computed,
            claimed=block_hash,
            node=None,
        )
