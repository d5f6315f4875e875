"""Addresses that git may connect to: resolved and checked here, and handed to git.

A host name that was allowed may point anywhere: at the machine itself, at a metadata service, at
another company's network. Checking a name and then letting git resolve it again would leave a gap
for a name server that answers differently the second time (DNS rebinding). So the checked
addresses are handed to git: curl takes them by `http.curloptResolve`, ssh by `HostName`.
https://git-scm.com/docs/git-config#Documentation/git-config.txt-httpcurloptResolve
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from urllib import request

from bot.context.errors import UrlError
from bot.context.git.urls import DEFAULT_PORTS, RepositoryUrl

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host; raises `OSError`. Blocks."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the host's addresses by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("2001::/23", "2001:db8::/32", "3fff::/20"),
        # Azure serves each virtual machine its settings at this address, which looks public.
        # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        "168.63.129.16/32",
    )
)
"""Networks for special purposes. Python's own list differs from version to version: some count
Oracle's metadata service (192.0.0.192) as public.
https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry"""
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_HOLDS_IPV4 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
"""Networks whose last 32 bits are an IPv4 address to which a packet may be translated: IPv4
compatible, mapped and translated addresses, and NAT64 (RFC 4291, RFC 2765, RFC 6052)."""


def is_public(address: str) -> bool:
    """Tell whether an address is reachable on the public internet.

    An IPv6 address that stands for an IPv4 address is judged by that one.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _inner_ipv4(parsed)
        if inner is None and parsed not in _GLOBAL_IPV6:
            return False
        parsed = inner or parsed
    return not any(parsed in network for network in _NOT_PUBLIC)


def _inner_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if any(address in network for network in _HOLDS_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour


def is_proxied(url: RepositoryUrl, environ: Mapping[str, str]) -> bool:
    """Tell whether git reaches the host through a proxy, which then resolves the name itself."""
    return url.scheme == "https" and proxy_for(url.host, environ) is not None


def proxy_for(host: str, environ: Mapping[str, str]) -> str | None:
    """Return the address of the proxy on the way to a host by https, None if there is none."""
    proxies = _proxies(environ)
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy:
        return None
    # typeshed declares it for some platforms only.
    bypass: Callable[[str, Mapping[str, str]], bool] = getattr(request, "proxy_bypass_environment")  # noqa: B009
    return None if bypass(host, proxies) else proxy


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in environ.items():
        lower = name.lower()
        if lower.endswith("_proxy") and value:
            found[lower.removesuffix("_proxy")] = value
    return found


def pinned(url: RepositoryUrl, resolver: Resolve = resolve) -> Sequence[str]:
    """Return the host's addresses if all of them are public.

    Raises:
        UrlError: the name has an address in a private, loopback or link-local network.
        OSError: the host is not found.
    """
    port = url.port or DEFAULT_PORTS[url.scheme]
    try:
        addresses = resolver(url.host, port)
    except UnicodeError:
        raise OSError("no name of a host") from None
    if not addresses:
        raise OSError("the host has no address")
    private = [one for one in addresses if not is_public(one)]
    if private:
        raise UrlError(
            url.remote,
            f"{url.host} leads to {private[0]}, which is no public address; an operator can name"
            " the repository in a context file, or list the host in FOREWARM_REPOSITORY_HOSTS",
        )
    return addresses


def curl_option(url: RepositoryUrl, addresses: Sequence[str]) -> list[str]:
    """Return git's options that make curl connect to these addresses and no others."""
    if url.scheme != "https" or not addresses:
        return []
    listed = ",".join(f"[{one}]" if ":" in one else one for one in addresses)
    return ["-c", f"http.curloptResolve={url.host}:{url.port or 443}:{listed}"]
