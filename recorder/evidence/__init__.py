"""Evidence: bundles that anybody can verify.  Pure; knows nothing of the service."""
