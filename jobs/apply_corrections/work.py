"""The job ``apply_corrections``: cut what has other borders, then write the manifest."""

from pathlib import Path

from jobs.apply_corrections.params import Params, Result
from jobs.dataset.corrections.apply import apply_corrections
from jobs.runner.worker.context import JobContext


def run(params: Params, context: JobContext) -> Result:
    """Apply the record to the dataset; a kill at any moment leaves the manifest before or the one after."""
    dataset = Path(params.manifest).parent
    audio, record = (Path(given) if given else None for given in (params.audio, params.corrections))
    done = apply_corrections(dataset, audio, context, record)
    context.publish("manifest", done.manifest, "manifest")
    context.publish("rejections", done.manifest.with_name("rejections.jsonl"), "report")
    return Result(
        manifest=str(done.manifest),
        n_corrections=done.n_corrections,
        n_clips=done.n_clips,
        n_changed=done.n_changed,
        n_dropped=done.n_dropped,
        n_rescued=done.n_rescued,
        n_cut=done.n_cut,
        problems=done.problems,
    )
