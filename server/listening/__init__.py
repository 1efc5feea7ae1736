"""The listening page: rating of takes in a browser, and its command."""
