"""The runner's client: submit, look up, wait for, cancel and collect jobs."""
