"""Who may do what: one decision, with its reason.  Pure."""
