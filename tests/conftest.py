# SPDX-License-Identifier: GPL-2.0
"""
Black-box tests of the program that DNETBPF names (build/dnetbpf otherwise). As root; nothing is skipped: a missing tool is
a failure that says what to install.
"""

import os
import shutil

import pytest

from lib.closing import Closing
from lib.daemon import ATTACH_MODES
from lib.dockerhost import DockerHost
from lib.session import Session
from lib.shell import run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TOOLS = ("nsenter", "ip", "tc", "gcc", "setpriv", "promtool", "unshare", "timeout")
FIGURES = []


def pytest_addoption(parser):
    parser.addoption("--churn-seconds", type=int, default=10, help="how long the churn of connections goes on under a limit")
    parser.addoption("--geo-seconds", type=int, default=5, help="how long traffic goes on while databases of countries are exchanged")


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("measured")
        for line in FIGURES:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def session():
    assert os.geteuid() == 0, "these tests make namespaces and load programs: run them as root"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    assert not missing, f"not installed: {', '.join(missing)}; 'scripts/setup check' installs what the tests need"
    session = Session()
    session.figures = FIGURES
    session.dnetbpf = os.path.abspath(os.environ.get("DNETBPF") or os.path.join(ROOT, "build", "dnetbpf"))
    for tool in ("netprobe", "packetprobe", "limitprobe"):
        path = os.path.join(session.directory, tool)
        run("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-O1", "-static", "-o", path,
            "-I", os.path.join(ROOT, "include"), os.path.join(HERE, "lib", tool + ".c"), timeout=60)
        setattr(session, tool, path)
    yield session
    session.close()


@pytest.fixture(autouse=True)
def no_process_is_left(session):
    """What a test starts ends with it, also when it fails. (What a module's fixture starts is not the test's.)"""
    before = len(session.processes)
    yield
    for process in session.processes[before:]:
        process.kill()
    del session.processes[before:]


@pytest.fixture(scope="session")
def docker_session(session):
    """The one dockerd of this run. Tests take `docker` or `world`, which start from an empty one."""
    docker = DockerHost(session)
    docker.start()
    docker.make_image()
    yield docker
    docker.close()


@pytest.fixture
def docker(docker_session):
    """A dockerd with nothing in it."""
    docker_session.sweep()
    yield docker_session
    docker_session.sweep()


@pytest.fixture(params=ATTACH_MODES)
def attach(request):
    """Both ways to attach (without TCX in the kernel, the one that there is)."""
    return request.param


@pytest.fixture
def closing(session):
    closing = Closing(session)
    yield closing
    closing.close()


@pytest.fixture
def daemon(closing):
    """daemon(place, attach=..., policy=...) makes one; start() starts it; it is unloaded at the end, and nothing is left."""
    return closing.daemon
