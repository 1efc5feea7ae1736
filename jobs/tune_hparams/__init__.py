"""Job kind ``tune_hparams``: a search of training settings by short trials."""
