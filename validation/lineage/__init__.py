"""Links blocks to a trusted checkpoint, header by header; one node is enough for it.

Enters: a checkpoint, a block's number and hash, and a way to ask for headers. Leaves: a `Link` that
says whether the block hangs together with the checkpoint, or why that cannot be told. Below the
checkpoint a link is proof, for each header commits to its parent; above it, it shows that the block
descends from the checkpoint, which a node could still make up (see docs/adr/0007). Depends on
`validation.rpc` and on the header's hash in `validation.validators`, not on Django or Celery.
"""

from validation.lineage.lineage import MOST_LINKS, Lineage, Link, lineage_to

__all__ = ["MOST_LINKS", "Lineage", "Link", "lineage_to"]
