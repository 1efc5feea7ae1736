"""Kind, speakers and languages of a model, from its config. Imports no heavy library: tools check requests with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jobs.errors import UserError
from jobs.param_types import AUTO
from jobs.qwen.model_files import check_model, read_card, read_model_config
from jobs.qwen.speech.take_length import read_rates

REFERENCE_REMEDY = "Give ref_audio=CLIP (3 to 10 s) and, better, ref_text; or give a voice from start_training."


@dataclass(frozen=True)
class VoiceModel:
    """Kind, speakers and languages of a model.

    Attributes:
        kind: ``custom_voice`` has its own speakers, ``base`` clones the voice of a reference clip,
            ``voice_design`` makes one from the instruct.
        languages: names, lower case; ``auto`` first.
        trained_language: language of a voice trained here on a single language; else None.
        speaker_languages: language of each speaker that was trained here on a single one, also in an earlier run.
        takes_instruct: whether stock gives the model an instruct; it drops that of a 0.6B.
        s_per_character: seconds that the narrator of a voice trained here needs for a character, by language.
    """

    folder: Path
    kind: Literal["custom_voice", "base", "voice_design"]
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    trained_language: str | None = None
    speaker_languages: Mapping[str, str] = field(default_factory=dict)
    s_per_character: Mapping[str, float] = field(default_factory=dict)
    takes_instruct: bool = True

    def check_instruct(self, instruct: str | None) -> None:
        """Check that stock would not drop an instruct without a word, and that a voice design has one.

        Raises:
            UserError: ``instruct_not_supported``, ``instruct_missing``.
        """
        if self.kind == "voice_design":
            if not (instruct or "").strip():
                raise UserError(
                    "instruct_missing",
                    f"{self.folder} makes a voice from words, and none were given.",
                    "Describe the voice with instruct, or train a voice from this model.",
                )
            return
        if instruct and instruct.strip() and (self.kind == "base" or not self.takes_instruct):
            raise instruct_refused(str(self.folder))

    def speaker(self, asked: str | None) -> str | None:
        """Choose the speaker: the one asked for, else the only one; None for a base model.

        Raises:
            UserError: ``speaker_unknown`` or ``speaker_missing``, naming the known ones.
        """
        known = ", ".join(self.speakers) or "none"
        if self.kind == "voice_design" and asked is None:
            return None
        if self.kind == "base":
            if asked is None:
                return None
            raise UserError(
                "speaker_unknown",
                f"{self.folder} is a base model: it has no speaker {asked!r} and takes its voice from ref_audio.",
                "Leave speaker out, or give a voice from start_training.",
            )
        if asked is None and len(self.speakers) != 1:
            raise UserError(
                "speaker_missing",
                f"{self.folder} has {len(self.speakers)} speakers: {known}.",
                "Choose one with speaker=NAME.",
            )
        if asked is not None and asked.lower() not in self.speakers:
            raise UserError(
                "speaker_unknown",
                f"{self.folder} has no speaker {asked!r}; it knows: {known}.",
                "Use one of them, or leave speaker out where there is only one.",
            )
        return self.speakers[0] if asked is None else asked.lower()

    def language(self, asked: str | None, speaker: str | None = None) -> str:
        """Choose the language: the one asked for, else the one that the speaker was trained on, else ``auto``.

        Each language has its own prefix before the codes; a voice speaks best with the prefix that it was trained on.

        Args:
            asked: None: none was.
            speaker: None: the only one.

        Raises:
            UserError: ``language_unknown``, naming the known ones.
        """
        if asked is None:
            name = speaker or (self.speakers[0] if len(self.speakers) == 1 else None)
            if name is not None and self.speaker_languages:
                return self.speaker_languages.get(name.lower(), AUTO)
            return self.trained_language or AUTO
        if asked.lower() not in self.languages:
            raise UserError(
                "language_unknown",
                f"{self.folder} does not know the language {asked!r}; it knows: {', '.join(self.languages)}.",
                "Use one of them, or auto.",
            )
        return asked.lower()

    def check_reference(self, *, is_given: bool) -> None:
        """Check that a base model gets a reference clip and a trained voice gets none.

        Raises:
            UserError: ``ref_audio_not_used`` or ``ref_audio_missing``.
        """
        if self.kind != "base" and is_given:
            raise UserError(
                "ref_audio_not_used",
                f"{self.folder} is no base model: it speaks with its own speakers or by the instruct.",
                "Leave ref_audio and ref_text out, or give a base model.",
            )
        if self.kind == "base" and not is_given:
            raise UserError(
                "ref_audio_missing",
                f"{self.folder} is a base model: it has no voice of its own.",
                REFERENCE_REMEDY,
            )


def takes_instruct(config: Mapping[str, Any]) -> bool:
    """Return whether stock's ``generate_custom_voice`` passes an instruct on; it asks the same of the config."""
    return str(config.get("tts_model_size")) not in "0b6"


def instruct_refused(ref: str) -> UserError:
    """Return the error for an instruct that would be dropped."""
    return UserError(
        "instruct_not_supported",
        f"{ref} takes no instruct: stock qwen_tts drops that of a 0.6B, and a base model that clones has none.",
        "Take a 1.7B voice, or train one from a 1.7B base; or leave instruct out.",
    )


def check_instruct(model: str, instruct: str | None) -> None:
    """Refuse an instruct for a model whose folder or name says that stock would drop it.

    Raises:
        UserError: ``instruct_not_supported``.
    """
    if not instruct or not instruct.strip():
        return
    if Path(model).is_absolute():
        if not takes_instruct(read_model_config(Path(model))):
            raise instruct_refused(model)
    elif "0.6B" in model:
        raise instruct_refused(model)


def check_request(
    model: str, *, speaker: str | None, language: str | None, instruct: str | None, has_reference: bool
) -> None:
    """Check a request for speech against a model's files; of a name that is not on this disk, only the name.

    Args:
        model: folder, hub id or ``toy``.
        speaker: that was asked for.
        language: that was asked for.
        instruct: how to speak.
        has_reference: a clip to clone is given.

    Raises:
        UserError: those of ``check_model``, ``describe_model`` and of the methods of ``VoiceModel``.
    """
    check_instruct(model, instruct)
    if Path(model).is_absolute():
        check_model(Path(model), model)
        found = describe_model(Path(model))
        found.speaker(speaker)
        found.language(language)
        found.check_instruct(instruct)
        found.check_reference(is_given=has_reference)
    elif not has_reference and (model == "toy" or model.endswith("-Base")):
        raise UserError("ref_audio_missing", f"{model} is a base model: it has no voice of its own.", REFERENCE_REMEDY)


def describe_model(folder: Path) -> VoiceModel:
    """Read kind, speakers and languages of a model (from ``resolve_model``).

    Raises:
        UserError: ``model_cannot_speak``: the model is neither a voice nor a base; those of ``read_model_config``.
    """
    config = read_model_config(folder)
    kind = config.get("tts_model_type")
    if kind not in ("custom_voice", "base", "voice_design"):
        raise UserError(
            "model_cannot_speak",
            f"{folder} is a {kind!r} model; synthesize needs 'custom_voice', 'base' or 'voice_design'.",
            "Give a voice from start_training, or a Base or CustomVoice model.",
        )
    talker, card = config["talker_config"], read_card(folder)
    languages = [name.lower() for name in talker["codec_language_id"] if "dialect" not in name]
    return VoiceModel(
        folder=folder,
        kind=kind,
        speakers=tuple(sorted(name.lower() for name in talker.get("spk_id") or {})),
        languages=(AUTO, *sorted(languages)),
        trained_language=_trained_language(card),
        speaker_languages={
            name: each for name, each in read_speaker_languages(card).items() if each in (AUTO, *languages)
        },
        s_per_character=read_rates(card),
        takes_instruct=takes_instruct(config),
    )


def _trained_language(card: Mapping[str, Any] | None) -> str | None:
    languages = (card or {}).get("languages")
    return str(languages[0]) if isinstance(languages, list) and len(languages) == 1 else None


def read_speaker_languages(card: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the language of each speaker of a card that anybody may have written; older cards have one for all."""
    found = (card or {}).get("speaker_languages")
    if isinstance(found, dict):
        return {str(name): each for name, each in found.items() if isinstance(each, str)}
    speakers, language = (card or {}).get("speakers"), _trained_language(card)
    return {str(name): language for name in speakers} if isinstance(speakers, list) and language else {}
