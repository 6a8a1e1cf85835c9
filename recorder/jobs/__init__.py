"""Periodic jobs of a node; APScheduler calls them, :mod:`recorder.service` schedules them."""
