"""Parts of the measurements; none of them is a command."""
