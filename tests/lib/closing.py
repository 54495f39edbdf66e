# SPDX-License-Identifier: GPL-2.0
"""Things that are closed at the end of a test, whatever happened in it."""

import os

from lib.daemon import Daemon


def binary(session):
    assert os.access(session.dnetbpf, os.X_OK), f"{session.dnetbpf} is not there; build it with 'make'"


class Closing:
    """Makes daemons and other things that have close(), and closes them in reverse order, each of them for certain."""

    def __init__(self, session):
        self.session, self.things = session, []

    def add(self, thing):
        self.things.append(thing)
        return thing

    def daemon(self, place, **options):
        binary(self.session)
        return self.add(Daemon(place, **options))

    def close(self):
        problems = []
        for thing in reversed(self.things):
            try:
                thing.close()
            except Exception as problem:  # the others must be closed too
                problems.append(str(problem))
        assert not problems, "\n".join(problems)
