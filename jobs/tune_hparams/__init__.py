"""Job kind ``tune_hparams``: a search of training settings by short trials.

Other packages import ``spec`` and ``params`` only.
"""
