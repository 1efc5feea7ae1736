"""Job kind ``synthesize``: text to takes with a trained voice, or with a base model and a reference clip.

Other packages import ``spec`` and ``params`` only.
"""
