"""HTTP access control, for any HTTP server of ours."""
