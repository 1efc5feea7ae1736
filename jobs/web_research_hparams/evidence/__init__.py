"""Evidence for training settings: extraction, weighing, conflicts."""
