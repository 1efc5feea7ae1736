"""Addresses to listen on: who can reach them. stdlib only."""

import ipaddress
import socket


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address, also if written ``127.1`` or ``::ffff:127.0.0.1``."""
    address = _parse(host)
    return host == "localhost" if address is None else address.is_loopback


def is_everywhere(host: str) -> bool:
    """Return whether an address means all addresses of this machine: ``0.0.0.0``, ``0``, ``::``, or none at all."""
    address = _parse(host)
    return not host if address is None else address.is_unspecified


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the numeric address as the system reads it, None for a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST) if host else []
    except (OSError, UnicodeError):
        return None
    if not found:
        return None
    address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
