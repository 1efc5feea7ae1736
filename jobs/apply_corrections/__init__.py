"""The job kind ``apply_corrections``: the dataset as the corrections of people and agents have it."""
