"""What a dataset folder is once its clips exist: measured, judged, split, reported, exchanged with other tools."""
