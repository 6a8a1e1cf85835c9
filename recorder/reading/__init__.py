"""Reading: one view of all footage, wherever its bytes are: open file, spool or store."""
