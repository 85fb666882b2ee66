"""An old address: what was here lives in `folders` now."""

from flowlib import moved

__getattr__ = moved.names(__name__)
