"""Playback: HLS over the stored segments themselves, and single frames."""
