"""Which handler an event is for, and whether a connect or disconnect handler takes its argument."""
from __future__ import annotations

import functools
import gc
import weakref

import pytest
from erlen.handlers import Registry, takes_argument


def wraps(function):
    return functools.wraps(function)(lambda *args, **options: function(*args, **options))


def injects(function):
    return functools.wraps(function)(lambda *args: function("user", *args))


class Methods:
    def one(self, auth):
        pass

    def none(self):
        pass

    def __call__(self, auth):
        pass


@pytest.mark.parametrize("function, takes", [
    (lambda: None, False), (lambda auth: None, True), (lambda auth=None: None, True), (lambda *args: None, True),
    (lambda **options: None, False), (lambda *, key=1: None, False), ([].append, True), (print, True),
    (Methods().one, True), (Methods().none, False), (Methods(), True), (functools.partial(lambda a, b: None, 1), True),
    (functools.partial(lambda a: None, 1), False), (wraps(lambda: None), False), (wraps(lambda auth: None), True),
    (injects(lambda user, auth: None), True),
])
def test_a_signature_is_looked_at_through_its_decorators(function, takes):
    assert takes_argument(function) is takes
    assert takes_argument(function) is takes


def test_a_function_and_the_method_that_binds_it_are_told_apart():
    assert takes_argument(Methods.none) is True
    assert takes_argument(Methods().none) is False
    assert takes_argument(Methods.none) is True


def test_what_is_known_of_a_function_does_not_keep_it_alive():
    def function():
        pass

    takes_argument(function)
    seen = weakref.ref(function)
    del function
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("namespace, event, name", [
    ("/", "e", "exact"), ("/", "other", "star"), ("/n", "e", "anywhere"), ("/n", "other", "everything"),
    ("/n", "connect", None), ("/", "disconnect", None),
])
def test_the_nearest_function_is_found(namespace, event, name):
    registry = Registry()
    for where, what, called in [("/", "e", "exact"), ("/", "*", "star"), ("*", "e", "anywhere"), ("*", "*", "everything")]:
        registry.add(where, what, called)  # type: ignore[arg-type]
    found = registry.find(namespace, event)
    assert (found.call if found else None) == name


def test_the_namespace_of_all_is_none_of_its_own():
    registry = Registry()
    registry.add("*", "e", print)
    registry.add("/n", "e", print)
    assert registry.namespaces() == {"/n"}
