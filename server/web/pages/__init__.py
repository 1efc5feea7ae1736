"""Pages of the application: one module for each entry of its navigation, with its routes."""
