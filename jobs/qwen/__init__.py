"""Adapter of upstream ``qwen_tts`` 0.1.1, the one package that imports it: codec, synthesis, loading, export.

``hub`` finds models, ``loading`` loads them, ``synthesizer`` speaks, ``codec`` turns audio into codes and back,
``export`` writes voices, ``train`` holds sequence layout, loss and adapters, ``toy`` makes models for tests and demo.
Modules are imported one by one: most of them load torch, while ``model_files`` and ``model_info`` must not.
"""
