"""Sites in a tree: the feed and footage up, documents down, reads across.

A child speaks first, always: posts behind a firewall need no door of their own to be heard.
"""
