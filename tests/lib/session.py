# SPDX-License-Identifier: GPL-2.0
"""
Everything that a test run makes carries the name of that run: processes in their environment, namespaces, folders and pins
in their names. So a run can take away what a crashed predecessor left, and nothing else.
"""

import glob
import os
import shutil
import signal
import tempfile
import time

from lib.shell import run

PREFIX = "dnt"
MARK = "DNETBPF_TEST_SESSION"
BPFFS = "/sys/fs/bpf"


def _directory(name):
    return os.path.join(tempfile.gettempdir(), f"dnetbpf-test-{name}")


def _processes(name):
    wanted = f"{MARK}={name}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(entry))
        except OSError:
            pass
    return found


def _end_processes(name):
    # Again and again: a container engine that is still there starts what was ended.
    deadline = time.monotonic() + 20
    while (found := _processes(name)) and time.monotonic() < deadline:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)


def _mounts_below(directory):
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    return sorted((p for p in points if p == directory or p.startswith(directory + "/")), reverse=True)


def reap(name):
    """Take away everything that the run of that name made."""
    _end_processes(name)
    for point in _mounts_below(_directory(name)):
        run("umount", point, check=False)
    for path in glob.glob(f"/run/netns/{name}-*"):
        run("ip", "netns", "delete", os.path.basename(path), check=False)
    for path in glob.glob(f"{BPFFS}/dnetbpf-test-{name}-*"):
        shutil.rmtree(path, ignore_errors=True)
    if not _mounts_below(_directory(name)):
        shutil.rmtree(_directory(name), ignore_errors=True)


def _is_a_test_run(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"pytest" in file.read()
    except OSError:
        return False


def reap_predecessors():
    """What test runs left that are no more. A predecessor may have had our own process id."""
    names = {os.path.basename(path).split("-")[0] for path in glob.glob(f"/run/netns/{PREFIX}*-*")}
    names |= {path.rsplit("-", 1)[1] for path in glob.glob(_directory(f"{PREFIX}*"))}
    names |= {path.split("-")[2] for path in glob.glob(f"{BPFFS}/dnetbpf-test-{PREFIX}*-*")}
    for name in names:
        pid = name[len(PREFIX):]
        if pid.isdigit() and (int(pid) == os.getpid() or not _is_a_test_run(pid)):
            reap(name)


class Session:
    def __init__(self):
        self.name = f"{PREFIX}{os.getpid()}"
        reap_predecessors()
        self.directory = _directory(self.name)
        os.mkdir(self.directory, 0o755)
        self.env = dict(os.environ, **{MARK: self.name})
        self.figures = []
        self.processes = []
        self._numbers = {}

    def number(self, kind):
        """1, 2, 3, ... for each kind of thing that wants a name of its own."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def pin(self, kind="d"):
        return f"{BPFFS}/dnetbpf-test-{self.name}-{kind}{self.number('pin')}"

    def figure(self, text):
        """A measured figure, for the end of the run's output."""
        self.figures.append(text)

    def close(self):
        reap(self.name)
