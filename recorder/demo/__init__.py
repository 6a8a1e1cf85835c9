"""Synthetic cameras, for the demo and for tests: every frame says when and which it is."""
