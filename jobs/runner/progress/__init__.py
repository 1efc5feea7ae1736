"""Progress reports of a job: writing, reading, metric history, throughput."""
