"""The step from a recording to clips with texts. Stages in the order in which ``work`` runs them, and their modules:

1. ``input.source_files``: open one recording or a folder of them, read containers and chapters.
2. ``input.work_units``: select chapters or a time range, and divide it into units.
3. ``text.text_sources``: prepare the source of texts: the book, Whisper, given segments, or none.
4. ``output.ingest_state``: resume from the units that earlier attempts built from the same inputs.
5. ``output.worker_pool``: build the remaining units, in this process or in several.
   Each unit is built by ``output.unit_builder``, chunk by chunk:

   - ``input.speech_chunks``: decode, resample, detect speech, divide at pauses;
   - ``text.text_sources``: find the text of the speech, by ``text.book_aligner``, ``text.whisper_text`` or
     ``text.segment_clips``, and make clip candidates of whole sentences, by ``cut.sentence_candidates`` and
     ``cut.cut_plan``;
   - ``cut.clip_filters``: reject credits and words cut at a unit's border;
   - ``output.clip_writer``: give every sample to a clip or a rejection, and write the clips.

6. ``work``: number the clips of units in order, report progress.
7. ``output.build_report``: judge all clips together, write manifest, rejections and report.

Imports among the packages point one way: ``work`` -> ``output`` -> ``text`` -> ``cut`` -> ``input``. ``params``,
``spec`` and ``dry_run`` import none of them; ``probe`` reads containers for ``dry_run`` in a child process. No package
exports names: a process that reads containers must not load aligners, nor one that cuts clips torch.
"""
