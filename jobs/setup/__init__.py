"""Job kind ``setup``: install the locked packages that jobs run with."""
