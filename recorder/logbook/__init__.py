"""The logbook: entries written before anything goes out, the tree signed and put in a store."""
