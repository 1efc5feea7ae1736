"""Programs that speak with a voice: what each reads, and the command that speaks. See ``docs/elsewhere.md``.

All read the layout of Qwen's own checkpoints, of which our voices are: weights, configs, ``speech_tokenizer``, speakers
in ``spk_id`` of ``config.json``, whose names are lower case.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobs.publish_voice.params import Engine
from jobs.qwen.model_files import ENCODER_FILE

TEXT = "The evening train was late."
PLAIN = re.compile(r"[\w/.-]+")
# Names of strangers' speakers may be anything: others are not put into a command that a person runs.
PLAIN_NAME = re.compile(r"[^\W_][\w .-]*")
PLACEHOLDER = "SPEAKER"


@dataclass(frozen=True)
class EngineLayout:
    """Needs of a program.

    Attributes:
        commands: makes the commands of a folder, speaker and size (0.6B or 1.7B).
        omitted: files of a voice that it would stumble over.
    """

    commands: Callable[[str, str, str], list[str]]
    omitted: tuple[str, ...] = ()

    def commands_for(self, folder: str, speaker: str, size: str) -> list[str]:
        """Return the commands of a folder; a name that could be more than a name is ``PLACEHOLDER``."""
        return self.commands(folder, speaker if PLAIN_NAME.fullmatch(speaker) else PLACEHOLDER, size)


def _python(folder: str, speaker: str, _: str) -> list[str]:
    code = (
        "import soundfile; from qwen_tts import Qwen3TTSModel; "
        f"model = Qwen3TTSModel.from_pretrained({folder!r}); "
        f"audio, rate = model.generate_custom_voice({TEXT!r}, speaker={speaker!r}); "
        "soundfile.write('out.wav', audio[0], rate)"
    )
    return [f'python -c "{code}"' if PLAIN.fullmatch(folder) else f"python -c {shlex.quote(code)}"]


def _vllm_omni(folder: str, speaker: str, _: str) -> list[str]:
    body = f'{{"input": "{TEXT}", "voice": "{speaker}"}}'
    return [
        f"vllm serve {shlex.quote(folder)} --omni --port 8091 --trust-remote-code --enforce-eager",
        "curl -s http://localhost:8091/v1/audio/speech -H 'Content-Type: application/json' "
        f"-d {shlex.quote(body)} -o out.wav",
    ]


def _mlx_audio(folder: str, speaker: str, _: str) -> list[str]:
    return [
        f"python -m mlx_audio.tts.generate --model {shlex.quote(folder)} --voice {shlex.quote(speaker)} "
        f"--text {shlex.quote(TEXT)}"
    ]


def _audio_cpp(folder: str, speaker: str, _: str) -> list[str]:
    return [
        f"audiocpp_cli --task tts --family qwen3_tts --model {shlex.quote(folder)} --backend cpu "
        f"--speaker {shlex.quote(speaker)} --text {shlex.quote(TEXT)} --out out.wav"
    ]


def _comfyui(folder: str, speaker: str, size: str) -> list[str]:
    # The node finds a model by the size and the word CustomVoice in its folder's name.
    return [f"cp -r {shlex.quote(folder)} ComfyUI/models/qwen-tts/{shlex.quote(f'{speaker}-{size}-CustomVoice')}"]


ENGINES: Mapping[Engine, EngineLayout] = MappingProxyType(
    {
        "qwen-tts": EngineLayout(_python),
        "qwen-tts-hf": EngineLayout(_python),
        "vllm-omni": EngineLayout(_vllm_omni, omitted=(ENCODER_FILE,)),
        "mlx-audio": EngineLayout(_mlx_audio, omitted=(ENCODER_FILE,)),
        "audio.cpp": EngineLayout(_audio_cpp, omitted=(ENCODER_FILE,)),
        "comfyui": EngineLayout(_comfyui),
    }
)
