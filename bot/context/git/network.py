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


def is_public(address: str) -> bool:
    """Tell whether an address is reachable on the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


def is_proxied(url: RepositoryUrl, environ: Mapping[str, str]) -> bool:
    """Tell whether git reaches the host through a proxy, which then resolves the name itself."""
    if url.scheme != "https":
        return False
    proxies = _proxies(environ)
    if not (proxies.get("https") or proxies.get("all")):
        return False
    # typeshed declares it for some platforms only.
    bypass: Callable[[str, Mapping[str, str]], bool] = getattr(request, "proxy_bypass_environment")  # noqa: B009
    return not bypass(url.host, proxies)


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
    """
    port = url.port or DEFAULT_PORTS[url.scheme]
    try:
        addresses = resolver(url.host, port)
    except (OSError, UnicodeError):
        # git will say itself that the host cannot be found.
        return ()
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
