"""Audio files in and out, and signal measures of a clip."""
