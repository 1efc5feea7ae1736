"""Weights of clips: how often an epoch has the clips of a speaker or a language.

Standard library only, so that a dry run counts with them.
"""

from collections.abc import Sequence

from jobs.errors import UserError

MOST_NAMED = 10


def weigh_clips(given: Sequence[str], clips: Sequence[tuple[str, str]]) -> list[float]:
    """Return the weight of each clip; an empty list when no weight is given.

    Args:
        given: ``NAME=TIMES``, of speakers and languages.
        clips: speaker and language of each clip that is trained on.

    Raises:
        UserError: ``sample_weight_unknown``, also where every clip would be left out.
    """
    weights = {name: float(times) for name, _, times in (one.partition("=") for one in given)}
    known = sorted({name for clip in clips for name in clip})
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise _refused(
            f"sample_weights name {', '.join(unknown)}, which no clip to train on has",
            f"Speakers and languages are {', '.join(known[:MOST_NAMED])}.",
        )
    found = [weights.get(speaker, 1.0) * weights.get(language, 1.0) for speaker, language in clips]
    if weights and not any(found):
        raise _refused("sample_weights leave out every clip", "Give one of them a weight above 0.")
    return found if weights else []


def _refused(what: str, hint: str) -> UserError:
    return UserError("sample_weight_unknown", f"{what}.", hint)
