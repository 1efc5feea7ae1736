"""Job kind ``refine_voice``: rounds of training, synthesis and rating; the best round's voice is kept.

Other packages import ``spec`` and ``params`` only.
"""
