"""From the spool into the catalog: what sealing left is committed, with patience of its own."""
