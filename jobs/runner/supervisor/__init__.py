"""The supervisor process: starts queued jobs and settles finished attempts."""
