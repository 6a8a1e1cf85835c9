"""Capture: one ffmpeg per stream, watched, restarted, its files sealed into segments."""
