"""The process that holds espeak-ng's library: a line of JSON ``[text, voice]`` in, a line with the IPA out.

Run as a script, by itself: it imports the standard library and ``espeakng_loader`` only.
"""

import ctypes
import json
import sys

import espeakng_loader

_UTF8 = 1
_IPA = 0x02
_SYNCHRONOUS = 0x02  # espeak_AUDIO_OUTPUT: nothing is played, nothing is threaded


class Library:
    """The library, and the voice that it speaks with now."""

    def __init__(self) -> None:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        if library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0) <= 0:
            raise RuntimeError("the library does not start")
        self._library = library
        self._voice = ""

    def ipa(self, text: str, voice: str) -> str:
        """Return the IPA of a text, its clauses joined."""
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise RuntimeError(f"there is no voice {voice}")
            self._voice = voice
        rest = ctypes.c_char_p(text.encode())
        pointer = ctypes.pointer(rest)
        parts = []
        while rest.value:  # one clause a call; the call moves the pointer on, and clears it at the end
            parts.append((self._library.espeak_TextToPhonemes(pointer, _UTF8, _IPA) or b"").decode())
        return "".join(parts)


def main() -> None:
    """Answer until stdin ends."""
    library = Library()
    for line in sys.stdin:
        text, voice = json.loads(line)
        sys.stdout.write(json.dumps(library.ipa(text, voice)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
