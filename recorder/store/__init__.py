"""Stores: a directory, an S3 bucket, a dictionary; one contract for all three."""
