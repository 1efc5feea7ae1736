"""Builder of work units: decode chunks, find texts, cut and write clips, and account for every sample."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jobs.dataset.manifest import Clip
from jobs.ingest_audiobook.cut.clip_candidates import ClipLimits
from jobs.ingest_audiobook.cut.clip_filters import reject_credits, reject_cut_words, usable_span
from jobs.ingest_audiobook.input.source_files import SourceFiles
from jobs.ingest_audiobook.input.speech_chunks import SpeechChunk, read_speech_chunks, to_24k
from jobs.ingest_audiobook.input.work_units import WorkUnit
from jobs.ingest_audiobook.output.clip_writer import account_for_samples, make_rejections, write_chunk_clips
from jobs.ingest_audiobook.output.ingest_state import UnitRecord, UnitWorkspace
from jobs.ingest_audiobook.params import Params
from jobs.ingest_audiobook.text.file_transcript import FileTranscript
from jobs.ingest_audiobook.text.text_sources import Transcript
from jobs.ingest_audiobook.text.transcript_rows import hash_sentences, make_sentence, sentences_between


class BuildEvent(NamedTuple):
    """A chunk of a unit is done, seconds, or (0) the unit is built and staged."""

    unit: int
    chunk_s: float = 0.0


def build_units(
    units: Sequence[WorkUnit], files: SourceFiles, params: Params, transcript: Transcript, staged: Path
) -> Iterator[BuildEvent]:
    """Build units of one recording in order; yield an event for each chunk but a unit's last, and for each unit."""
    number = units[0].recording
    recording, name = files.recordings[number], files.names[number]
    rate = recording.info.sample_rate_hz
    builder: _UnitBuilder | None = None
    transcript.begin(units[0])
    for unit, part in read_speech_chunks(recording, units, keep_whole=transcript.keep_whole):
        if builder is None or builder.unit != unit:
            transcript.begin(unit)
            builder = _UnitBuilder(unit, name, rate, params, transcript, UnitWorkspace(staged, unit.index))
        if isinstance(part, SpeechChunk):
            if builder.last_chunk_s:
                yield BuildEvent(unit.index, builder.last_chunk_s)
            builder.add(part)
            del part  # release its memory before the next chunk is decoded
        else:
            builder.finish(to_24k(unit.start, rate), is_recording_end=part.is_recording_end)
            yield BuildEvent(unit.index)


class _UnitBuilder:
    """Collects the clips and rejections of one unit."""

    def __init__(
        self,
        unit: WorkUnit,
        recording: str,
        rate_hz: int,
        params: Params,
        transcript: Transcript,
        workspace: UnitWorkspace,
    ) -> None:
        self.unit = unit
        self.last_chunk_s = 0.0
        self._recording, self._rate_hz, self._transcript, self._workspace = recording, rate_hz, transcript, workspace
        self._limits = ClipLimits(
            params.min_clip_s, params.target_clip_s, params.max_clip_s, params.max_gap_s, params.pad_s
        )
        self._common = Clip(
            audio="", text="", speaker=params.voice, language=params.language, transcript=transcript.origin
        )
        self._record: UnitRecord | None = None

    def add(self, chunk: SpeechChunk) -> None:
        """Cut a chunk into clips, write them, and add every sample to the record, in a clip or a rejection."""
        usable = usable_span(chunk, self.unit, self._rate_hz)
        candidates, rejected, speech, said, late = self._transcript.find_candidates(chunk, self._limits, usable)
        candidates, credits = reject_credits(candidates)
        candidates, cut = reject_cut_words(candidates, usable)
        kept, not_kept = account_for_samples(candidates, rejected + credits + cut, speech, len(chunk.audio_24k))
        record = self._record or empty_record(self.unit, chunk.start_24k)
        clips = write_chunk_clips(self._workspace.folder, chunk, kept, len(record.clips), self._common, self._recording)
        self._record = record.model_copy(
            update={
                "end_24k": chunk.end_24k,
                "clips": record.clips + clips,
                "rejections": record.rejections + make_rejections(chunk, not_kept, self._recording),
                "late": record.late + ([late] if late else []),
                "n_words": record.n_words + sum(candidate.n_words for _, _, candidate in kept),
                "sentences": record.sentences
                + [make_sentence(one, chunk.start_24k, self._recording, chunk.chapter) for one in said],
            }
        )
        self.last_chunk_s = chunk.duration_s

    def finish(self, start_24k: int, *, is_recording_end: bool) -> None:
        """Stage the unit."""
        record = self._record or empty_record(self.unit, start_24k)
        given = ""
        if isinstance(self._transcript, FileTranscript):
            rows = self._transcript.sentences[record.recording]
            given = hash_sentences(sentences_between(rows, record.start_24k, record.end_24k))
        update = {"is_recording_end": is_recording_end, "given_sha256": given}
        self._workspace.finish(record.model_copy(update=update))


def empty_record(unit: WorkUnit, start_24k: int) -> UnitRecord:
    """Return the record of a unit without audio."""
    return UnitRecord(
        index=unit.index,
        recording=unit.recording,
        chapter=unit.chapter,
        start_24k=start_24k,
        end_24k=start_24k,
        clips=[],
        rejections=[],
        n_words=0,
    )
