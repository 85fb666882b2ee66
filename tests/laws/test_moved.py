"""A name that has moved is the same thing under its old address."""

from importlib import import_module

import pytest

from flowlib.moved import MOVED


@pytest.mark.parametrize(
    ("old", "name", "new"), [(old, name, new) for old, table in MOVED.items() for name, new in table.items()]
)
def test_old_and_new_address_give_the_same(old, name, new):
    thing = getattr(import_module(new), name)
    assert getattr(import_module(old), name) is thing
    assert thing.__module__ == new


def test_what_was_never_there_is_still_missing():
    for old in MOVED:
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            import_module(old).nothing  # noqa: B018
