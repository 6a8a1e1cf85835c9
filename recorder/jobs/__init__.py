"""Periodic jobs of a node; :mod:`recorder.service` says how often each comes round."""
