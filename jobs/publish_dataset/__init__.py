"""Job kind ``publish_dataset``: a dataset as a folder or in a Hub repository, with a dataset card."""
