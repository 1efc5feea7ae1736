"""Text normalisation, pronunciation and matching."""
