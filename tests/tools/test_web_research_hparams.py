"""The tool's answer: usable without a network, and honest about it."""

from __future__ import annotations

import anyio
import httpx

from tools.web_research_hparams import WebResearchHparamsAnswer, WebResearchHparamsArgs, answer


def answered(transport: httpx.AsyncBaseTransport | None = None, **args: object) -> WebResearchHparamsAnswer:
    return anyio.run(answer, WebResearchHparamsArgs.model_validate(args), transport)


def unplugged(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route to host", request=request)


def test_without_a_network_the_knowledge_base_answers_and_says_why() -> None:
    made = answered(httpx.MockTransport(unplugged), model_size="1.7b", method="lora", minutes_of_audio=20)

    assert not made.network.reached
    assert "no route to host" in made.network.why
    assert made.findings == []
    assert made.recommendation.settings["lora_r"] == 32
    assert len(made.facts) == 10
    assert {fact.loss_state for fact in made.facts} == set(made.loss_states)


def test_offline_asks_nobody() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("asked although offline")

    made = answered(httpx.MockTransport(nobody), offline=True)

    assert made.network.why == "offline=true: nothing was asked"


def test_the_next_call_is_spelt_out() -> None:
    made = answered(offline=True, model_size="0.6b", minutes_of_audio=300)

    assert made.next.startswith(
        'Call start_training base_model="Qwen/Qwen3-TTS-12Hz-0.6B-Base" method=full lr=5e-06 epochs=1 batch_size=4'
    )
    assert "gradient_checkpointing=false" in made.next


def test_every_fact_behind_a_setting_is_in_the_answer_when_there_is_room() -> None:
    made = answered(offline=True, max_facts=50)

    cited = {fact for ids in made.recommendation.because.values() for fact in ids}
    assert cited - {fact.id for fact in made.facts} == {"full-memory-17b"}  # of the other size
