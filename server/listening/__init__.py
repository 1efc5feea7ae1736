"""The listening page: rate takes by ear in a browser."""
