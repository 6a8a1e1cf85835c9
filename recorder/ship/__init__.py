"""Ship: from the spool to the store, verified, committed; and room made in the spool."""
