"""Training data: coded manifests, their check and division, and the batch sampler.

``dataset`` and ``manifest_reader`` load torch; ``manifest_scan`` and ``batch_sampler``, which dry runs use, do not.
"""
