"""Reasons of rejections, each explained once for reports and people."""

from __future__ import annotations

SILENCE = "silence"
INGEST_REASONS = {
    SILENCE: "pauses, and sound that is not speech",
    "too_short": "shorter than min_clip_s, with no near neighbour to join",
    "too_long": "longer than max_clip_s, with no pause to cut at",
    "not_in_text": "speech that the text lacks: credits, notes or another edition",
    "words_differ": "other words are spoken than the text says",
    "not_aligned": "the text does not fit the audio",
    "speech_not_in_text": "speech before or after the words that were found",
    "credits": "reader, publisher and owner of the recording",
    "cut_in_speech": "speech without a pause next to kept words, or across a chapter mark",
    "hallucination_loop": "Whisper repeats itself",
    "no_speech": "Whisper transcribes noise",
    "low_confidence": "Whisper is unsure",
    "no_transcript": "Whisper finds no words",
    "not_in_segments": "speech outside of all given segments",
    "segment_overlaps": "a given segment begins before the one before ends",
    "segment_backwards": "a given segment ends before it begins",
    "segment_before_start": "a given segment begins before the recording",
    "segment_crosses_end": "a given segment crosses the end of a chapter or of the recording",
    "segment_beyond_end": "a given segment begins after the recording's end",
    "segment_without_text": "a given segment has no text",
    "audio_missing": "the file does not exist",
    "path_outside": "the path leads out of the audio folder",
    "no_text": "the text has no words",
    "speaker_unusable": "the speaker's name cannot be used",
    "language_unknown": "the language is not supported",
    "duplicate_file": "an earlier line names the same file",
    "duplicate_audio": "the same audio as an earlier line's",
    "duplicate_text": "the same text as an earlier line's, from the same speaker",
    "unreadable": "not audio that can be decoded",
}
QUALITY_REASONS = {
    "not_speech": "noise, a tone or silence instead of speech",
    "clipped": "flattened peaks: recorded or mastered too loud",
    "noisy": "too much noise under the speech",
    "music": "music or steady tones under the speech",
    "narrow_band": "no sound above the telephone band",
    "long_silence": "silence at an end of the clip",
    "long_pause": "silence within the clip",
    "off_loudness": "much louder or softer than the narrator usually is",
    "poor_sound": "DNSMOS below the narrator's own",
    "too_fast": "too much text for this length: part of it is not spoken, or the rate is unusual",
    "too_slow": "too little text for this length: more is spoken than written, or the rate is unusual",
    "another_voice": "not the narrator's voice",
}
MEANING = INGEST_REASONS | QUALITY_REASONS
