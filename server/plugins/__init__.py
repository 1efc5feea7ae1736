"""Manifests by which plugin systems of agents find skill and server, and the bundle that a desktop client installs."""
