"""tune_hparams: short trainings, one a trial, find the settings for the long one."""
