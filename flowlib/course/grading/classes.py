"""An old address: what was here lives in `intake` now."""

from flowlib import moved

__getattr__ = moved.names(__name__)
