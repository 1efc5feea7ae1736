"""The web application: jobs, datasets and voices in a browser, for the person at this machine."""
