"""Policies: pure functions from facts to plans in which every action carries its reason."""
