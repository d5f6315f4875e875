"""The pages on which git hosts show a file's lines at a commit. Pure.

A host is known by its name alone: `github.acme.com` is taken for GitHub Enterprise. A name that
is no public host name (an alias of an ssh configuration, such as `github.com-work`) has no pages: a
guessed link that leads nowhere is worse than none.

Sources: https://docs.github.com/en/repositories/working-with-files/using-files/getting-permanent-links-to-files,
https://docs.gitlab.com/user/project/repository/files/, https://confluence.atlassian.com/bitbucketserver,
https://learn.microsoft.com/azure/devops/repos/git/, https://docs.gitea.com/.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

GITHUB = "{base}/{path}/blob/{{sha}}/{{path}}#L{{start}}-L{{end}}"
GITLAB = "{base}/{path}/-/blob/{{sha}}/{{path}}#L{{start}}-{{end}}"
BITBUCKET_CLOUD = "{base}/{path}/src/{{sha}}/{{path}}#lines-{{start}}:{{end}}"
BITBUCKET_SERVER = "{base}/{path}/browse/{{path}}?at={{sha}}#{{start}}-{{end}}"
GITEA = "{base}/{path}/src/commit/{{sha}}/{{path}}#L{{start}}-L{{end}}"
SOURCEHUT = "{base}/{path}/tree/{{sha}}/item/{{path}}#L{{start}}-{{end}}"
GITILES = "{base}/{path}/+/{{sha}}/{{path}}#{{start}}"
AZURE = (
    "{base}/{path}?path=/{{path}}&version=GC{{sha}}&line={{start}}&lineEnd={{end}}"
    "&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain&_a=contents"
)

AZURE_SSH = frozenset(("ssh.dev.azure.com", "vs-ssh.visualstudio.com"))
"""The hosts of Azure DevOps' addresses over ssh."""

_PUBLIC = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}")
_RENDERED = re.compile(
    r"\.(?:md|mdx|markdown|mdown|mkd|rst|adoc|asciidoc|asc|org|textile|rdoc|pod|mediawiki|ipynb|csv"
    r"|tsv|svg)$",
    re.IGNORECASE,
)


def page_template(host: str, port: int | None, path: str) -> str | None:
    """Return the template of a repository's pages, None if the host is not known.

    The template has the fields `{sha}`, `{path}`, `{start}` and `{end}`.
    """
    host = host.lower()
    if not _PUBLIC.fullmatch(host):
        return None
    found = _find_host(host, path)
    if found is None:
        return None
    template, web_host, web_path = found
    base = f"https://{web_host}" + (f":{port}" if port is not None else "")
    quoted = quote(web_path).replace("%7E", "~").replace("{", "%7B").replace("}", "%7D")
    return template.format(base=base, path=quoted)


def _find_host(host: str, path: str) -> tuple[str, str, str] | None:
    """Return the template, the host of the pages and the repository's path on them."""
    names = host.split(".")
    if azure := _azure(host, path):
        return azure
    if "github" in names or host.endswith(".ghe.com"):
        # `gist.github.com` and the like show other pages.
        return None if host.endswith(".github.com") else (GITHUB, host, path)
    if "gitlab" in names:
        return None if host.endswith(".gitlab.com") else (GITLAB, host, path)
    if host == "bitbucket.org":
        return BITBUCKET_CLOUD, host, path
    if "bitbucket" in names:
        server = _bitbucket_server(path)
        return None if server is None else (BITBUCKET_SERVER, host, server)
    if host == "codeberg.org" or {"gitea", "forgejo"} & set(names):
        return GITEA, host, path
    if host == "git.sr.ht":
        return SOURCEHUT, host, path
    if host.endswith(".googlesource.com"):
        return GITILES, host, path.removeprefix("a/")
    return None


def _bitbucket_server(path: str) -> str | None:
    """Return a repository's page path on Bitbucket Server: its clone path has another form."""
    before, found, rest = f"/{path}".rpartition("/scm/")
    parts = (rest if found else path).split("/")
    if len(parts) != 2:
        return None
    project, name = parts
    kind = f"users/{project[1:]}" if project.startswith("~") else f"projects/{project}"
    return f"{before}/{kind}/repos/{name}".lstrip("/") if found else f"{kind}/repos/{name}"


def _azure(host: str, path: str) -> tuple[str, str, str] | None:
    """Return the page of an Azure DevOps repository, from any of its addresses for git."""
    parts = path.split("/")
    if host in AZURE_SSH:
        if len(parts) != 4 or parts[0] != "v3":
            return None
        return AZURE, "dev.azure.com", f"{parts[1]}/{parts[2]}/_git/{parts[3]}"
    if host == "dev.azure.com" or host.endswith(".visualstudio.com"):
        return (AZURE, host, path) if "_git" in parts else None
    return None


def azure_addresses(url: str) -> list[str]:
    """Return the addresses for git of the Azure DevOps repository at an https address."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    organisation = host.removesuffix(".visualstudio.com")
    if organisation != host:
        path = f"{organisation}/{path.removeprefix('DefaultCollection/')}"
    elif scheme != "https" or host != "dev.azure.com":
        return [url]
    folder, _, name = path.partition("/_git/")
    # The default repository of a project has the project's name and need not repeat it.
    project = folder if "/" in folder else f"{folder}/{name}"
    known = [url, f"https://dev.azure.com/{path}", f"https://dev.azure.com/{project}/_git/{name}"]
    return [*known, f"git@ssh.dev.azure.com:v3/{unquote(project)}/{unquote(name)}"]


def for_file(template: str, path: str) -> str:
    """Return the template for one file.

    GitHub, GitLab, Gitea and a Bitbucket Data Center show a Markdown file as a page without lines,
    unless they are asked for its plain text.
    Source: https://docs.github.com/en/repositories/working-with-files/using-files/working-with-non-code-files
    """
    if not _RENDERED.search(path):
        return template
    for place, query in (("/blob/", "?plain=1"), ("/src/commit/", "?display=source")):
        if place in template:
            return template.replace("{path}#", f"{{path}}{query}#")
    if "/browse/{path}?at={sha}#" in template:
        return template.replace("{sha}#", "{sha}&useDefaultHandler=true#")
    return template
