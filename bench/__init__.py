"""Measurements: each module states a claim, its method, and prints JSON."""
