"""The name under which the requests of one client are counted: its network."""

from ipaddress import IPv6Address, ip_address, ip_network


def network(address: str | None) -> str:
    """The part of an address that one client has for itself, as `ProxyFix` leaves the address.

    A household or phone gets 64 bits of IPv6 addresses (RFC 6177), so they count as one.

    Returns:
        An IPv4 address, an IPv6 network, or an empty text where the address is none.
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
