"""Ask all sources at once, within a time limit, and say of each whether it answered."""

from __future__ import annotations

import time

import anyio
import httpx
from pydantic import BaseModel, Field

from jobs.web_research_hparams.fetch import FetchError, get_text, make_client
from jobs.web_research_hparams.sources import Finding, Source

TOTAL_TIMEOUT_S = 20.0


class Network(BaseModel):
    """Whether the search took place."""

    reached: bool
    why: str = Field("", description="Why nothing was reached.")
    sources: dict[str, str] = Field(default_factory=dict, description="What each source answered.")
    seconds: float = 0.0


async def search(
    asked: list[Source],
    max_results: int,
    transport: httpx.AsyncBaseTransport | None = None,
    timeout_s: float = TOTAL_TIMEOUT_S,
) -> tuple[list[Finding], Network]:
    """Ask every source at the same time.

    Args:
        asked: from ``sources``.
        max_results: findings kept from each.
        transport: replaces the network in tests.
        timeout_s: for all of it.

    Returns:
        Findings in the sources' order, and what happened. Never raises for what a network can do.
    """
    started = time.monotonic()
    found: dict[str, list[Finding]] = {}
    said = {source.name: f"no answer within {timeout_s:.0f} s" for source in asked}

    async def ask(client: httpx.AsyncClient, source: Source) -> None:
        try:
            answer = await get_text(client, source.url, source.params)
            found[source.name] = source.parse(answer)[:max_results]
            said[source.name] = f"{len(found[source.name])} findings"
        except FetchError as error:
            said[source.name] = str(error)

    with anyio.move_on_after(timeout_s):
        async with make_client(transport) as client, anyio.create_task_group() as tasks:
            for source in asked:
                tasks.start_soon(ask, client, source)
    findings = [finding for source in asked for finding in found.get(source.name, [])]
    why = "" if found else "; ".join(sorted(set(said.values())))
    return findings, Network(
        reached=bool(found),
        why=why,
        sources={str(name): text for name, text in said.items()},
        seconds=round(time.monotonic() - started, 1),
    )
