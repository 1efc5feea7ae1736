"""HTTP parts shared by every server: listener, bounded connections, Host and Origin, request limits, bodies, keys."""
