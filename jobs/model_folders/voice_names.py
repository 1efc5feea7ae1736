"""Short names of voices for people, by their folders."""

from pathlib import Path

EXPORTS = "exports"  # folder of the voices that a training has kept on the way
FOLDERS_OF_VOICES = ("voice", "training", "final_model", "out", EXPORTS, "/")


def name_model(model: str) -> str:
    """Return a short name of a model by its folder, with the step of a voice that was kept on the way."""
    path = Path(model)
    inner = [part for part in path.parts if part not in FOLDERS_OF_VOICES]
    if not path.is_absolute() or not inner:
        return model
    return " ".join(inner[-2:]) if path.parent.name == EXPORTS else inner[-1]
