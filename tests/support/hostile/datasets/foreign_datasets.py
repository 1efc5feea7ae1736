"""Hostile datasets of other tools, for ``ingest_clips``: each builder returns what to give as ``transcripts``."""

import gzip

from tests.support.hostile.datasets.arrow_tables import (
    huggingface_absolute_table,
    huggingface_broken_offsets,
    huggingface_compressed,
    huggingface_deep_state,
    huggingface_linked_table,
    huggingface_many_rows,
    huggingface_outside_audio,
    huggingface_outside_sound,
    huggingface_outside_split,
    huggingface_outside_table,
    huggingface_pipe,
)
from tests.support.hostile.datasets.lhotse_cuts import RAN as RAN
from tests.support.hostile.datasets.lhotse_cuts import (
    cut,
    lhotse_bomb_of_empty_lines,
    lhotse_bomb_of_one_line,
    lhotse_command_source,
    lhotse_linked_manifest,
    lhotse_linked_source,
    lhotse_outside_source,
    lhotse_pipe_source,
    lhotse_pipe_url_source,
    lhotse_raw_source,
    lhotse_sph_source,
    of_cut,
    of_gzip,
)
from tests.support.hostile.datasets.ljspeech_folders import (
    ljspeech,
    ljspeech_linked_folder,
    ljspeech_linked_sound,
    ljspeech_outside_ids,
    ljspeech_pipe,
    ljspeech_sparse,
)
from tests.support.hostile.datasets.sound_files import Builder

REJECTED: dict[str, Builder] = {
    "lhotse: command": lhotse_command_source,
    "lhotse: pipe address": lhotse_pipe_url_source,
    "lhotse: SPHERE": lhotse_sph_source,
    "lhotse: outside": lhotse_outside_source,
    "lhotse: link": lhotse_linked_source,
    "lhotse: pipe": lhotse_pipe_source,
    "lhotse: far start": of_cut(cut("a.wav", start=1e8)),
    "lhotse: long cut": of_cut(cut("a.wav", duration=1e8)),
    "lhotse: no recording": of_cut(cut("a.wav", recording=None)),
    "lhotse: mixture": of_cut({"id": "m", "type": "MixedCut", "tracks": []}),
    "lhotse: raw samples": lhotse_raw_source,
    "Hugging Face: outside audio": huggingface_outside_audio,
    "Hugging Face: outside sound": huggingface_outside_sound,
    "LJSpeech: outside ids": ljspeech_outside_ids,
    "LJSpeech: linked sound": ljspeech_linked_sound,
    "LJSpeech: pipe": ljspeech_pipe,
    "LJSpeech: long id": ljspeech("a" * 100_000 + "|Some words.|Some words.", "\0|Some words.|"),
}
"""Datasets that are read and of which no clip is taken."""

REFUSED: dict[str, Builder] = {
    "lhotse: linked manifest": lhotse_linked_manifest,
    "lhotse: deep lists": of_cut('{"id": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "lhotse: no number": of_cut('{"id": "a", "start": NaN}'),
    "lhotse: beyond floats": of_cut('{"id": "a", "duration": 1e400}'),
    "lhotse: negative": of_cut(cut("a.wav", start=-1)),
    "lhotse: many supervisions": of_cut('{"id": "a", "supervisions": [' + "{}," * 600_000 + "{}]}"),
    "lhotse: bomb of one line": lhotse_bomb_of_one_line,
    "lhotse: bomb of empty lines": lhotse_bomb_of_empty_lines,
    "lhotse: cut off": of_gzip(gzip.compress(b"{}\n" * 100)[:-20]),
    "lhotse: no gzip": of_gzip(b"not gzip"),
    "Hugging Face: outside table": huggingface_outside_table,
    "Hugging Face: absolute table": huggingface_absolute_table,
    "Hugging Face: linked table": huggingface_linked_table,
    "Hugging Face: outside split": huggingface_outside_split,
    "Hugging Face: pipe": huggingface_pipe,
    "Hugging Face: compressed": huggingface_compressed,
    "Hugging Face: deep state": huggingface_deep_state,
    "Hugging Face: broken offsets": huggingface_broken_offsets,
    "Hugging Face: many rows": huggingface_many_rows,
    "LJSpeech: linked folder": ljspeech_linked_folder,
    "LJSpeech: sparse": ljspeech_sparse,
}
"""Datasets that are refused as a whole."""

BUILDERS: dict[str, Builder] = REJECTED | REFUSED
