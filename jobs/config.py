"""``config.toml`` of the home, read strictly: an unknown or unfit entry is refused. stdlib only."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jobs.errors import UserError


@dataclass(frozen=True)
class SlurmSettings:
    """Settings of Slurm jobs: table ``[slurm]`` of ``config.toml``. Empty means: as the cluster has it.

    Attributes:
        partition: ``--partition``.
        account: ``--account``.
        qos: ``--qos``.
        gres: ``--gres`` of a job that needs a GPU.
        time: ``--time``, longest run of one attempt; the work is asked to stop before, and continues in the next.
        mem: ``--mem``; never left to the cluster, whose default may be the whole node.
        cpus: ``--cpus-per-task``; 0: as the cluster has it.
        nodes: ``--nodes``.
        stop_s: seconds before the end of ``time`` at which the work is asked to stop at its next safe point.
        extra: further arguments of ``sbatch``, as they are.
        path_map: local path prefix to the same folder's prefix on the nodes, where they differ.
        python: interpreter of the ``ml`` environment on the nodes; empty: the same path as here.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    gres: str = "gpu:1"
    time: str = "24:00:00"
    mem: str = "16G"
    cpus: int = 0
    nodes: int = 1
    stop_s: int = 120
    extra: tuple[str, ...] = ()
    path_map: Mapping[str, str] | None = None
    python: str = ""


@dataclass(frozen=True)
class HttpSettings:
    """Settings of the HTTP server: table ``[http]`` of ``config.toml``; flags of ``./run.sh mcp`` win.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        allowed_hosts: ``Host`` headers to accept beside the address, ``name`` or ``name:port``.
        allowed_origins: ``Origin`` headers of browsers to accept beside those of this machine.
        max_body_bytes: longest request.
        max_concurrent: requests that are answered at the same time, and as many open streams.
        max_per_s: requests of one address a second, in the long run; twice as many at once.
        issuer_url: OAuth authorization server whose tokens are accepted instead of the token file's.
        resource_server_url: this server's own URL, for which those tokens must have been issued.
        required_scopes: scopes that a token must have.
        introspection_url: where the authorization server validates tokens (RFC 7662).
        introspection_client_id: how this server names itself there.
        introspection_secret_file: file with its secret, 0600.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * 1024
    max_concurrent: int = 32
    max_per_s: float = 100.0
    issuer_url: str = ""
    resource_server_url: str = ""
    required_scopes: tuple[str, ...] = ()
    introspection_url: str = ""
    introspection_client_id: str = ""
    introspection_secret_file: str = ""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of ``web_research_hparams``: table ``[search]`` of ``config.toml``.

    Attributes:
        provider: general web search: ``brave``, ``tavily``, ``searxng`` (which needs ``url``), or empty for none.
        url: base address of the search service.
        key_file: file that holds the provider's key.
        key_env: environment variable that holds it, instead.
        github_token_file: file that holds a token of GitHub, which raises its limits and allows its search of code.
        github_token_env: environment variable that holds it, instead.
    """

    provider: str = ""
    url: str = ""
    key_file: str = ""
    key_env: str = ""
    github_token_file: str = ""
    github_token_env: str = ""


SEARCH_PROVIDERS = ("brave", "searxng", "tavily")
TOP_LEVEL: Mapping[str, type] = {
    "gpu_slots": object,  # a number or "auto"
    "cpu_slots": int,
    "check_gpu_free": bool,
    "disk_reserve_mb": int,
    "cancel_grace_s": float,
    "log_limit_mb": int,
    "backend": str,
    "roots": list,
    "slurm": dict,
    "http": dict,
    "search": dict,
}
_IN_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    list: "a list",
    dict: "a table",
}
TableT = TypeVar("TableT")


def read(path: Path) -> dict[str, Any]:
    """The entries of a file; none when it is not there. Raises ``UserError`` ``settings_invalid``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(f"{path} cannot be read: {error}", "Make it readable, or remove it.") from error
    import tomllib  # here: most homes have no such file, and the shim starts at every attempt

    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(f"{path} is not TOML: {error}", "Correct that line.") from error
    _check(entries, TOP_LEVEL, str(path))
    return entries


def slurm(entries: Mapping[str, Any], where: str) -> SlurmSettings:
    """Return the table ``[slurm]``. Raises ``UserError`` ``settings_invalid``."""
    return _table(SlurmSettings, entries, f"{where}, [slurm]")


def http(entries: Mapping[str, Any], where: str) -> HttpSettings:
    """Return the table ``[http]``. Raises ``UserError`` ``settings_invalid``."""
    found = _table(HttpSettings, entries, f"{where}, [http]")
    for name in ("max_body_bytes", "max_concurrent", "max_per_s"):
        if getattr(found, name) <= 0:
            raise _invalid(f"{where}, [http]: {name} = {getattr(found, name)} should be above 0.", "Correct it.")
    needed = ("issuer_url", "resource_server_url", "introspection_url")
    missing = [name for name in needed if not getattr(found, name)]
    if len(missing) not in (0, len(needed)):
        raise _invalid(f"{where}, [http]: OAuth needs {', '.join(missing)} too.", "Add it, or remove the others.")
    return found


def search(entries: Mapping[str, Any], where: str) -> SearchSettings:
    """Return the table ``[search]``. Raises ``UserError`` ``settings_invalid``."""
    found = _table(SearchSettings, entries, f"{where}, [search]")
    if found.provider and found.provider not in SEARCH_PROVIDERS:
        raise _invalid(f"{where}, [search]: there is no provider {found.provider!r}.",
                       f"Use {', '.join(SEARCH_PROVIDERS)}.")  # fmt: skip
    if found.provider == "searxng" and not found.url:
        raise _invalid(f"{where}, [search]: searxng needs the address of an instance.", 'Set url = "http://…".')
    if found.url and not found.url.startswith(("http://", "https://")):
        raise _invalid(f"{where}, [search]: url = {found.url!r} is no http address.", "Correct it.")
    return found


def _table(table: type[TableT], entries: Mapping[str, Any], where: str) -> TableT:
    """Make the settings of a table, whose entries have the types of its class; a list becomes a tuple of texts."""
    defaults = vars(table())
    types = {name: {tuple: list, type(None): dict}.get(type(value), type(value)) for name, value in defaults.items()}
    _check(entries, types, where)
    return table(**{k: tuple(map(str, v)) if isinstance(v, list) else v for k, v in entries.items()})


def _check(entries: Mapping[str, Any], types: Mapping[str, type], where: str) -> None:
    for name, value in entries.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, 1)
            meant = f"Did you mean {near[0]!r}? " if near else ""
            raise _invalid(f"{where} has an unknown entry {name!r}.", f"{meant}Known are {', '.join(types)}.")
        wanted = types[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if wanted is float else isinstance(value, wanted) and (wanted is not int or is_number)
        if not fits:
            raise _invalid(f"{where}: {name} = {value!r} should be {_IN_WORDS[wanted]}.", "Correct it.")


def _invalid(message: str, hint: str) -> UserError:
    return UserError("settings_invalid", message, hint)
