"""Simulated counties."""
