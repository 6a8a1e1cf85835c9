"""What capture left of a file: arrivals, true frame times, sound, bytes laid out.  Pure."""
