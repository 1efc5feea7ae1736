"""Parameters that all publications share."""

LONGEST_CONSENT = 2000
REPOSITORY = r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$"
LICENSE = r"^[A-Za-z0-9.+-]{1,60}$"
