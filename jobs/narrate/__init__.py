"""Job kind ``narrate``: a book's text to an audiobook with chapters, spoken by a trained voice or a base model.

Other packages import ``spec`` and ``params`` only.
"""
