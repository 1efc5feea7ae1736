"""A kind of work that is in this one folder: it raises the volume of clips, on paper."""
