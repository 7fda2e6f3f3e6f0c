"""Where the program's own pages listen: on this machine alone, unless the user says otherwise."""

from __future__ import annotations

import ipaddress

LOOPBACK = "127.0.0.1"
FREE_PORT = 0
"""Stands for any port that is free."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def page_address(host: str, port: int) -> str:
    """Return the address to be opened in a browser; IPv6 stands in brackets."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
