"""Asks one node what it can do, now and in a bounded time: before it is added, or on request.

Enters: a node's URL, the client's bounds and the checkpoint. Leaves: a `NodeTest`, one finding a
question with a sentence each, none of which holds a credential. Depends on `validation.rpc` and on
the validators' header hash, on neither Django nor Celery; the console depends on it.
"""

from validation.nodecheck.asking import LONGEST_S, address_refusal, examine
from validation.nodecheck.findings import Finding, NodeTest

__all__ = ["LONGEST_S", "Finding", "NodeTest", "address_refusal", "examine"]
