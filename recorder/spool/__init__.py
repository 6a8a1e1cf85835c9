"""The spool: a node's local disk of segments, where capture ends and everything begins."""
