"""Measurements beside Debian's Alertmanager, in one run, as ratios (``make bench``)."""
