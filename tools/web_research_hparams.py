"""The tool ``web_research_hparams``: settings to start a training with, from shipped facts and a search. No job."""

from typing import Any, Literal

import anyio.to_thread
import httpx
from pydantic import Field

from jobs.config import SearchSettings, read_config
from jobs.errors import UserError
from jobs.param_types import Strict, Value, rare
from jobs.runner.call_text import argument_text
from jobs.runner.job_kind import Example
from jobs.settings import Settings
from jobs.spelling import closest
from jobs.training.params import Params as Training
from jobs.web_research_hparams import (
    LOSS_STATES,
    Fact,
    Method,
    ModelSize,
    Recommendation,
    RecommendationRequest,
    load_knowledge,
    recommend,
    select_relevant,
)
from jobs.web_research_hparams.evidence import (
    FINDING,
    MAX_FINDINGS,
    Question,
    SettingsPoint,
    ValueCandidate,
    describe_breach,
    extract_candidates,
    find_breaches,
    find_conflicts,
    read_candidates,
    read_findings,
    weigh,
)
from jobs.web_research_hparams.evidence.number_parsing import format_number, parse_span
from jobs.web_research_hparams.evidence.parameter_aliases import find_parameter
from jobs.web_research_hparams.search import (
    TOTAL_TIMEOUT_S,
    ResponseCache,
    Search,
    SearchAccess,
    WebClient,
    build_queries,
    find_missing_access,
    search_sources,
)
from jobs.web_research_hparams.search.sanitize import clean
from tools.core.tool_types import Hints, ToolContext
from tools.research.answer import (
    PRESETS,
    PRESETS_CHOOSE,
    SettingView,
    WebResearchHparamsAnswer,
    candidate_view,
    fact_view,
    shorten,
    write_answer,
)
from tools.research.training_plan import plan_for

HINTS = Hints(
    title="Research training settings",
    read_only=True,
    open_world=True,
    order=40,
    step="web_research_hparams -> settings to start from.",
    examples=(
        Example("For 90 minutes of audio and a GPU of 24 GB", {"minutes_of_audio": 90, "gpu_memory_gb": 24}),
        Example("Without the network", {"model_size": "1.7b", "method": "lora", "offline": True}),
    ),
)

GENERATION = ("do_sample", "temperature")  # settings of synthesis in the rules


class WebResearchHparamsArgs(Strict):
    """Arguments of ``web_research_hparams``."""

    model_size: ModelSize = Field("0.6b", description="")
    method: Method = Field("full", description="")
    minutes_of_audio: float | None = Field(None, gt=0, le=100_000, description="Of the dataset.")
    gpu_memory_gb: float | None = Field(None, gt=0, le=2000, description="Sets batch, checkpointing, optimizer.")
    question: str = Field("", max_length=300, description="What else to look for.")
    findings: list[dict[str, Value]] = Field(
        default_factory=list, max_length=MAX_FINDINGS, description=f"Of your own web search: {FINDING}."
    )
    settings: dict[str, Value] = Field(default_factory=dict, description="Your own, to check for known failures.")
    offline: bool = Field(False, description="The knowledge base alone.")
    detail: Literal["brief", "full"] = Field("brief", description="10 or 40 KB; files hold all.")
    max_results: int = rare(5, ge=1, le=20, description="Pages from each listing.")
    trial_steps: int = rare(300, ge=2, le=100_000, description="As in tune_hparams: bounds the warm-up.")
    max_age_days: float = rare(7, ge=0, le=3650, description="Older cached answers are fetched again.")
    refresh: bool = rare(False, description="Use no cached answer.")


async def web_research_hparams(args: WebResearchHparamsArgs, context: ToolContext) -> WebResearchHparamsAnswer:
    """Recommend training settings: start values, ranges and points to search, with their sources and conflicts.

    Use it before start_training or tune_hparams. Free; at most 40 s for arXiv, GitHub, Hugging Face and a
    configured search. untrusted_* is text of third parties. Next: tune_hparams with ranges and first, or
    start_training with settings.
    """
    return await answer(args, context)


async def answer(
    args: WebResearchHparamsArgs,
    context: ToolContext,
    transport: httpx.AsyncBaseTransport | None = None,
    timeout_s: float = TOTAL_TIMEOUT_S,
) -> WebResearchHparamsAnswer:
    """Compute the tool's answer; ``transport`` replaces the network in tests."""
    brought = read_candidates(read_findings(args.findings))
    request = RecommendationRequest(
        size=args.model_size,
        method=args.method,
        minutes_of_audio=args.minutes_of_audio,
        gpu_memory_gb=args.gpu_memory_gb,
        trial_steps=args.trial_steps,
    )
    plan = plan_for(request)
    base = recommend(request, load_knowledge(), plan)
    found, went = await _searched(args, context, transport, timeout_s)
    question = Question(size=args.model_size, method=args.method, n_clips=base.n_clips_assumed, steps=base.steps)
    candidates = [weigh(one, question) for one in [*brought, *found]]
    recommendation = recommend(request, load_knowledge(), plan, candidates)
    whole = _whole(args, recommendation, candidates, went)
    name, folder = f"{args.model_size}-{args.method}", context.settings.home / "research"
    files = await anyio.to_thread.run_sync(write_answer, whole, args, name, folder)
    whole = whole.model_copy(update={"files": files})
    return shorten(whole, args.detail)


def search_access(settings: Settings, chosen: SearchSettings) -> tuple[SearchAccess, str]:
    """Return the configured access to search services, and what of it cannot be read."""
    wrong: list[str] = []

    def secret(file: str, variable: str) -> str:
        try:
            return settings.secret(file, variable)
        except UserError as error:
            wrong.append(error.message)
            return ""

    key = secret(chosen.key_file, chosen.key_env)
    token = secret(chosen.github_token_file, chosen.github_token_env)
    provider: Any = chosen.provider
    if provider in ("brave", "tavily") and not key:
        wrong = wrong or [f"{provider} needs key_file or key_env in [search] of config.toml"]
        provider = ""
    url = chosen.url if provider else ""
    return SearchAccess(provider=provider, url=url, key=key if provider else "", github_token=token), "; ".join(wrong)


async def _searched(
    args: WebResearchHparamsArgs, context: ToolContext, transport: httpx.AsyncBaseTransport | None, timeout_s: float
) -> tuple[list[ValueCandidate], Search]:
    if args.offline:
        return [], Search(reached=False, why="offline=true: nothing was asked")
    access, wrong = search_access(context.settings, read_config(context.settings.home).search)
    queries = build_queries(args.model_size, args.method, args.question, args.max_results, access)
    missing = find_missing_access(access)
    if wrong:
        missing = dict.fromkeys(missing, wrong)
    pages, went = await search_sources(
        queries,
        WebClient(transport, access.search_url),
        ResponseCache(context.settings.home / "research_cache"),
        max_age_days=args.max_age_days,
        refresh=args.refresh,
        timeout_s=timeout_s,
        not_asked=missing,
        report=context.report,
    )
    return await anyio.to_thread.run_sync(extract_candidates, pages), went


def _whole(
    args: WebResearchHparamsArgs, made: Recommendation, candidates: list[ValueCandidate], went: Search
) -> WebResearchHparamsAnswer:
    first = [fact for ids in made.because.values() for fact in ids]
    facts = select_relevant(
        load_knowledge(), size=args.model_size, method=args.method, question=args.question, first=first
    )
    names = [*made.settings, *(name for name in made.limits if name not in made.settings)]
    parameters = {name: _setting(name, args.model_size, made, facts, candidates) for name in names}
    if args.gpu_memory_gb is not None:
        for name in {*PRESETS_CHOOSE} & parameters.keys():
            parameters[name].evidence.append(PRESETS.id)
    cited = {*first, *(one for ids in made.points_because for one in ids)} - {fact.id for fact in facts}
    facts += [
        fact for fact in load_knowledge() if fact.id in cited
    ]  # of the other size or method, but a point rests on it
    evidence = [
        *map(fact_view, facts),
        *([PRESETS] if args.gpu_memory_gb is not None else []),
        *(candidate_view(one) for one in candidates if one.verdict != "rejected"),
    ]
    states = {one.loss_state for one in evidence}
    own, unknown = _own_settings(args.settings)
    mine = SettingsPoint(own, args.model_size, args.method, made.n_clips_assumed, made.steps, args.gpu_memory_gb)
    return WebResearchHparamsAnswer(
        summary=_summary(made, candidates, went),
        settings={"method": args.method, **made.settings},
        parameters=parameters,
        ranges=made.ranges,
        starting_points=made.starting_points,
        points_because=made.points_because,
        your_settings=[*map(describe_breach, find_breaches(mine)), *unknown],
        cautions=made.cautions,
        evidence=evidence,
        rejected=[candidate_view(one) for one in candidates if one.verdict == "rejected"],
        loss_states={state: meaning for state, meaning in LOSS_STATES.items() if state in states},
        search=went,
        steps=made.steps,
        memory_gb=made.memory_gb,
        next=_next(args, made),
    )


def _own_settings(given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The caller's settings by our names, and a note on every unknown name."""
    known = {*Training.model_fields, *GENERATION}
    own: dict[str, Any] = {}
    unknown = []
    for name, value in given.items():
        parameter = find_parameter(name)
        span = parse_span(value) if isinstance(value, str) else None
        if parameter is None and name not in known:
            near = closest(name, known)
            meant = f"; did you mean {near}?" if near else ""
            unknown.append(f"note: {clean(name, 60)} is not a setting of start_training and was ignored{meant}")
        own[parameter.name if parameter is not None else name] = span.low if span is not None else value
    return own, unknown


def _setting(
    name: str, size: ModelSize, made: Recommendation, facts: list[Fact], candidates: list[ValueCandidate]
) -> SettingView:
    start = made.settings.get(name)
    low, high = made.limits.get(name, (None, None))
    is_number = isinstance(start, int | float) and not isinstance(start, bool)
    agreeing = [one.id for one in candidates if one.parameter == name and one.verdict == "counts" and is_number
                and one.low <= float(start or 0) <= one.high]  # fmt: skip
    return SettingView(
        start=start,
        low=low,
        high=high,
        evidence=[*made.because.get(name, []), *agreeing],
        conflicts=find_conflicts(name, float(start or 0), size, facts, candidates) if is_number else [],
    )


def _summary(made: Recommendation, candidates: list[ValueCandidate], went: Search) -> list[str]:
    low, high = made.limits["lr"]
    counted = sum(one.verdict == "counts" for one in candidates)
    rejected = sum(one.verdict == "rejected" for one in candidates)
    seen = f"{len(candidates)} figures of pages and findings: {counted} count, {rejected} rejected by rules"
    asked = (
        f"asked {sum(s.state != 'not_asked' for s in went.sources.values())} sources in {went.seconds:g} s"
        if went.reached
        else f"no source answered just now ({clean(went.why, 120)})"
    )
    return [
        f"Start with lr {format_number(float(made.settings['lr']))}, epochs {made.settings['epochs']}; "
        f"search lr {format_number(low)} to {format_number(high)}.",
        f"{asked}; {seen}." if candidates or went.reached else f"{asked}: the shipped knowledge base answers.",
    ]


def _next(args: WebResearchHparamsArgs, made: Recommendation) -> str:
    searched = {found["name"] for found in made.ranges} | {"epochs"}
    fixed = {"method": args.method} | {name: value for name, value in made.settings.items() if name not in searched}
    base = argument_text("base_model", f"Qwen/Qwen3-TTS-12Hz-{args.model_size.upper()}-Base")
    lr = argument_text("lr", made.settings["lr"])
    return (
        f"Search: tune_hparams manifest=… {base} {argument_text('training', fixed)} with ranges and "
        f"first=starting_points. Or at once: start_training manifest=… {base} {lr} and the other settings. Then "
        "synthesize 8 fixed sentences and rate_samples beside the base's clone."
    )
