"""Boxes of the ISO base media file format (ISO/IEC 14496-12), read and written; pure."""
