"""Whether there are nodes enough for what is asked of a run."""

from collections.abc import Sequence

from django.conf import settings

from validation.models import Node

LEAST = 2


def nodes_in_service(node_urls: Sequence[str] = ()) -> int:
    """How many nodes a run may ask now; those of its own are never cordoned."""
    if node_urls:
        return len(set(node_urls))
    return len(Node.objects.in_service(node.label for node in settings.NODES))


def lack(node_urls: Sequence[str]) -> str:
    """Why there is nobody to ask, or "". Where all are cordoned a run waits for one."""
    if node_urls or settings.NODES or Node.objects.exclude(url="").exists():
        return ""
    return "There is no node to ask: add one on the page Nodes, or set NODE_URLS and restart."


def refusal(agreement: int | None, node_urls: Sequence[str]) -> str:
    """Why so many nodes cannot say the same, or ""; None asks one node and needs no other."""
    if agreement is None:
        return ""
    if agreement < LEAST:
        return f"Agreement takes {LEAST} nodes at least, not {agreement}: leave it away to ask one."
    there = nodes_in_service(node_urls)
    if agreement <= there:
        return ""
    nodes = "1 node is" if there == 1 else f"{there} nodes are"
    own = "named for this run" if node_urls else "in service"
    fewer = f"ask for {there} at most, or " if there >= LEAST else ""
    return f"Agreement of {agreement} nodes was asked, and {nodes} {own}: {fewer}add a node."
