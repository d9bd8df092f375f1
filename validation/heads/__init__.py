"""Follows the chain: which block is the newest, which are final, which were reorganised away.

Enters: a fetcher, and blocks that somebody's verdict rests on. Leaves: the head, the final block,
the news of orphaned blocks, and whether a block that was asked about stands. One view a process,
in its event loop. Depends on `validation.rpc` and `validation.validators`, not on Django or Celery.
"""

from validation.heads.headers import Dubious, Head
from validation.heads.view import ChainView

__all__ = ["ChainView", "Dubious", "Head"]
