"""Cases, their rows, and the page that shows stored results."""
