# SPDX-License-Identifier: GPL-2.0
"""The policy cases of lib/cases.py without Docker: bridges and veths of our own and the static inventory."""

import pytest

from lib.cases import CASES, POLICY
from lib.closing import Closing
from lib.daemon import ATTACH_MODES
from lib.worlds import NetWorld


@pytest.fixture(scope="module")
def world(session):
    world = NetWorld(session)
    yield world
    world.close()


def test_everything_is_reachable_without_dnetbpf(world):
    """What the other tests see denied is not denied by anything else."""
    for cases in CASES.values():
        for case in cases:
            for family in case.families:
                assert world.attempt(case, family, 8000) == "open", f"{case} over IPv{family}"


@pytest.fixture(scope="module", params=ATTACH_MODES)
def enforced(request, world, session):
    closing = Closing(session)
    daemon = closing.daemon(world.host, attach=request.param, policy=POLICY, inventory=world.inventory())
    try:
        daemon.start()
        for name, count in (("web", 2), ("db", 1), ("mon", 1)):
            daemon.wait_state(name, "enforced", count=count)
        daemon.wait_state("free", "unselected")
        yield daemon
    finally:
        closing.close()


@pytest.mark.parametrize("name", CASES)
def test_policy(world, enforced, name):
    for case in CASES[name]:
        for family in case.families:
            world.check(enforced, case, family)
