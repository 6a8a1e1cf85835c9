"""The HTTP door: thin routes over :mod:`recorder.app`; wire types are not model types."""
