"""Why something is not kept: the words of the rejections, and what each means to people."""

from __future__ import annotations

from jobs.dataset.quality.quality_filter import MEANING as QUALITY_MEANING

SILENCE = "silence"
MEANING = {
    SILENCE: "pauses, and sound that is no speech",
    "too_short": "shorter than min_clip_s, with no near neighbour to join",
    "too_long": "longer than max_clip_s, with no pause to cut at",
    "not_in_text": "speech that the text does not have, or credits, notes, another edition",
    "words_differ": "the narrator says other words than the text",
    "not_aligned": "the text does not fit the sound",
    "speech_not_in_text": "speech before or after the words that were found",
    "credits": "who reads the book, for whom, who owns the recording",
    "cut_in_speech": "speech without a pause beside words that were kept, or across a chapter's mark",
    "hallucination_loop": "Whisper repeats itself",
    "no_speech": "Whisper takes noise for words",
    "low_confidence": "Whisper is unsure",
    "no_transcript": "Whisper hears no words",
    "not_in_segments": "speech that no given segment names",
    "segment_overlaps": "a given segment begins before the one before ends",
    "segment_backwards": "a given segment ends before it begins",
    "segment_before_start": "a given segment begins before the recording",
    "segment_crosses_end": "a given segment crosses a chapter's border or the recording's end",
    "segment_beyond_end": "a given segment begins after the recording's end",
    "segment_without_text": "a given segment says nothing",
    "audio_missing": "there is no such file",
    "duplicate_file": "a line names a file that an earlier line names",
    "duplicate_audio": "the same audio as an earlier line's",
    "duplicate_text": "the same text as an earlier line's, from the same voice",
    "unreadable": "not audio that can be decoded",
} | QUALITY_MEANING
