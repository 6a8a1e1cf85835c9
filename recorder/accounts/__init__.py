"""Who is who: passwords, sessions, tokens, invitations; keys of other sites and nodes."""
