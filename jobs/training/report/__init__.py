"""Reports of a training run: ``report.html``, ``report.json`` and the card of the voice."""
