"""Speaker encoders and the narrator's profile."""
