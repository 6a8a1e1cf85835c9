"""The audit log's bytes and proofs: entries, the Merkle tree over them, signed notes.  Pure."""
