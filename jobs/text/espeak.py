"""IPA of a text by espeak-ng's library. Library and voices come in a wheel; no ``espeak-ng`` binary is needed."""

import ctypes
import functools

import espeakng_loader

from jobs.text.espeak_input import speakable

_UTF8 = 1
_IPA = 0x02
_SYNCHRONOUS = 0x02  # espeak_AUDIO_OUTPUT: nothing is played, nothing is threaded


class Espeak:
    """The library, and the voice that it speaks with now."""

    def __init__(self) -> None:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        if library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0) <= 0:
            raise _damaged("the library does not start")
        self._library = library
        self._voice = ""

    def ipa(self, text: str, voice: str) -> str:
        """Return the IPA of a text, its clauses joined. Symbols are not spoken, and long words are cut."""
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise _damaged(f"there is no voice {voice}")
            self._voice = voice
        rest = ctypes.c_char_p(speakable(text).encode())
        pointer = ctypes.pointer(rest)
        parts = []
        while rest.value:  # one clause a call; the call moves the pointer on, and clears it at the end
            parts.append((self._library.espeak_TextToPhonemes(pointer, _UTF8, _IPA) or b"").decode())
        return "".join(parts)


def _damaged(what: str) -> RuntimeError:
    return RuntimeError(f"the espeakng-loader package is damaged: {what}")


@functools.cache
def espeak() -> Espeak:
    """Return the library, loaded once."""
    return Espeak()
