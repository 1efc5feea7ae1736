"""Job kind ``publish_voice``: a voice as a folder for an engine, or in a Hub repository, with a model card."""
