"""Job kind ``rate_samples``: automatic ratings of takes, compared with the narrator and with anchors.

Other packages import ``spec`` and ``params`` only.
"""
