"""Reading a call: arguments, paths, and names of datasets, voices and jobs."""
