"""``config.toml`` of the home, as pydantic models: an unknown or invalid entry is an error.

Read where a person or a client comes in: at the command line and in the MCP server. The processes that these start get
the settings as environment variables, and read no file.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.settings import Settings, SlurmSettings
from jobs.trust.home import check_home
from jobs.trust.roots import list_folders


def _check_slots(value: Any) -> Any:
    if value != "auto" and (type(value) is not int or value < 0):
        raise ValueError('Input should be a whole number or "auto"')
    return value


def _check_address(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("Input should be an http address")
    return value


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HttpSettings(_Table):
    """Settings of the HTTP server: table ``[http]``; flags of ``./run.sh mcp`` win.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        allowed_hosts: ``Host`` headers to accept beside the address, ``name`` or ``name:port``.
        allowed_origins: ``Origin`` headers of browsers to accept beside those of this machine.
        max_body_bytes: longest request.
        max_concurrent: requests that are answered at the same time, as many open streams, and as many sessions.
        session_idle_s: seconds after which a session without an open request or stream ends.
        max_per_s: requests of one bearer of a right token a second, in the long run; twice as many at once.
        issuer_url: OAuth authorization server whose tokens are accepted instead of the token file's.
        resource_server_url: this server's own URL, for which those tokens must have been issued.
        required_scopes: scopes that a token must have.
        introspection_url: where the authorization server validates tokens (RFC 7662).
        introspection_client_id: how this server names itself there.
        introspection_secret_file: file with its secret, 0600.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: PositiveInt = 1024 * 1024
    max_concurrent: PositiveInt = 32
    session_idle_s: PositiveFloat = 120.0
    max_per_s: PositiveFloat = 100.0
    issuer_url: str = ""
    resource_server_url: str = ""
    required_scopes: tuple[str, ...] = ()
    introspection_url: str = ""
    introspection_client_id: str = ""
    introspection_secret_file: str = ""

    @model_validator(mode="after")
    def _check_oauth(self) -> "HttpSettings":
        needed = ("issuer_url", "resource_server_url", "introspection_url")
        missing = [name for name in needed if not getattr(self, name)]
        if len(missing) not in (0, len(needed)):
            raise ValueError(f"OAuth needs {', '.join(missing)} too. Add it, or remove the others")
        return self


class SearchSettings(_Table):
    """Settings of ``web_research_hparams``: table ``[search]``.

    Attributes:
        provider: general web search; ``searxng`` needs ``url``. Empty: none.
        url: base address of the search service.
        key_file: file that holds the provider's key.
        key_env: environment variable that holds it, instead.
        github_token_file: file that holds a token of GitHub, which raises its limits and allows its search of code.
        github_token_env: environment variable that holds it, instead.
    """

    provider: Literal["", "brave", "searxng", "tavily"] = ""
    url: Annotated[str, AfterValidator(_check_address)] = ""
    key_file: str = ""
    key_env: str = ""
    github_token_file: str = ""
    github_token_env: str = ""

    @model_validator(mode="after")
    def _check_url(self) -> "SearchSettings":
        if self.provider == "searxng" and not self.url:
            raise ValueError('searxng needs the address of an instance. Set url = "http://…"')
        return self


class Config(_Table):
    """Entries of ``config.toml``; ``jobs.settings.Settings`` says what each means. None: not given."""

    gpu_slots: Annotated[int | str | None, PlainValidator(_check_slots)] = None
    cpu_slots: NonNegativeInt | None = None
    check_gpu_free: bool | None = None
    disk_reserve_mb: NonNegativeInt | None = None
    cancel_grace_s: NonNegativeFloat | None = None
    log_limit_mb: NonNegativeInt | None = None
    sandbox: bool | None = None
    backend: Literal["local", "slurm"] | None = None
    torch_index: str | None = None
    roots: tuple[str, ...] = ()
    slurm: SlurmSettings = SlurmSettings()
    http: HttpSettings = HttpSettings()
    search: SearchSettings = SearchSettings()

    def to_variables(self, home: Path) -> dict[str, str]:
        """Return the variables that stand for the entries, as ``Settings.from_environment`` reads them."""
        plain = self.model_dump(include=_NUMBERS_AND_BACKEND, exclude_none=True)
        found = {f"TTS_TRAIN_{name.upper()}": str(int(v) if isinstance(v, bool) else v) for name, v in plain.items()}
        slurm = {name: value for name, value in asdict(self.slurm).items() if value is not None}
        roots = list_folders((home / expand_user(root)).resolve() for root in self.roots)
        return found | {"TTS_TRAIN_SLURM": json.dumps(slurm), "TTS_TRAIN_ROOTS": roots}


_NUMBERS_AND_BACKEND = Config.model_fields.keys() - {"roots", "slurm", "http", "search"}


def read_config(home: Path) -> Config:
    """Read ``config.toml`` of a home; without the file, all entries have their defaults.

    Raises:
        UserError: ``settings_invalid``, ``owner_untrusted``.
    """
    check_home(home)
    path = home / "config.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except tomllib.TOMLDecodeError as error:
        raise _invalid(f"{path} is not TOML: {error}", "Correct that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(f"{path} cannot be read: {error}", "Make it readable, or remove it.") from error
    try:
        # as JSON, in which pydantic takes arrays for tuples and tables for dataclasses without further conversions
        return Config.model_validate_json(json.dumps(entries, default=str))
    except ValidationError as error:
        raise _explain(error, path) from error


def read_settings(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """Read the settings of a process that a client starts: the environment, then ``config.toml``.

    Raises:
        UserError: ``settings_invalid``.
    """
    return Settings.from_environment(environ, cwd, read_defaults=_variables)


def read_settings_at_the_shell(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """Read the settings of a person at a shell, who may name any path unless ``TTS_TRAIN_ROOTS`` says which are."""
    return Settings.from_environment(environ, cwd, read_defaults=_variables, is_at_the_shell=True)


def _variables(home: Path) -> Mapping[str, str]:
    return read_config(home).to_variables(home)


def _explain(error: ValidationError, path: Path) -> UserError:
    """Return the error for the first fault that pydantic found."""
    fault = error.errors()[0]
    tables = {
        "slurm": asdict(SlurmSettings()),
        "http": HttpSettings.model_fields,
        "search": SearchSettings.model_fields,
    }
    *parents, name = [str(part) for part in fault["loc"]]
    table = parents[0] if parents and parents[0] in tables else name if name in tables else ""
    where = f"{path}, [{table}]" if table else str(path)
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = tables.get(table, Config.model_fields)
        near = difflib.get_close_matches(name, known, 1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        return _invalid(f"{where} has an unknown entry {name!r}.", f"{meant}Known are {', '.join(known)}.")
    entry = ".".join(part for part in (*parents, name) if part != table)
    given = f" = {fault['input']!r}" if entry else ""
    message = fault["msg"].removeprefix("Value error, ")
    return _invalid(f"{where}: {entry}{given}{': ' if entry else ''}{message}.", "Correct it.")


def _invalid(message: str, hint: str) -> UserError:
    return UserError("settings_invalid", message, hint)
