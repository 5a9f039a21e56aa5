"""The key by which the requests of one client are counted: the client's network."""

from ipaddress import IPv6Address, ip_address, ip_network


def network(address: str | None) -> str:
    """Return the part of an address, as set by `ProxyFix`, that identifies one client.

    A household or phone gets 64 bits of IPv6 addresses (RFC 6177), so these count as one client.

    Returns:
        An IPv4 address, an IPv6 network, or an empty text if the address is invalid.
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), 64), strict=False))
