"""Which network addresses a node may have: the policy against server-side request forgery."""

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

# `is_global` calls all of these global, in some versions of Python: ranges that lead to other
# networks in disguise, and site-local addresses.
_TUNNELS = tuple(
    ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "5f00::/16"),
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
    )
)
_RESERVED = (ip_network("100.64.0.0/10"), ip_network("fec0::/10"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Public addresses only, unless the deployment lists a network or allows loopback."""

    allow_loopback: bool = False
    private_networks: tuple[Network, ...] = ()

    def refusal(self, text: str) -> str:
        """Why the address is refused, or an empty string where it is allowed."""
        address = _plain(ip_address(text.partition("%")[0]))
        if any(address in network for network in self.private_networks):
            return ""
        if address.is_loopback:
            return "" if self.allow_loopback else "a loopback address, which is not allowed here"
        kind = _kind(address)
        return f"{kind}, which NODE_PRIVATE_NETWORKS does not list" if kind else ""


def _plain(address: Address) -> Address:
    """An IPv4 address written as IPv6 (::ffff:10.0.0.1) is judged as what it leads to."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _kind(address: Address) -> str:
    kinds = {
        "the unspecified address": address.is_unspecified,
        "a multicast address": address.is_multicast,
        "a link-local address": address.is_link_local,
        "a translated or tunnelled address": any(address in tunnel for tunnel in _TUNNELS),
        "a private or reserved address": not address.is_global
        or address.is_private
        or any(address in reserved for reserved in _RESERVED),
    }
    return next((kind for kind, is_so in kinds.items() if is_so), "")
