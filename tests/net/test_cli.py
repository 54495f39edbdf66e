# SPDX-License-Identifier: GPL-2.0
"""What a person is told when something is wrong: a sentence with what to do, and the right exit code."""

import json
import os
import shutil

import pytest

from lib.dockerhost import outside
from lib.shell import run

INVENTORY = """
    networks: [ { name: dmz, bridge: br-dmz, subnets: [198.18.10.0/24] } ]
    endpoints: [ { container: web-1, interface: v-web, network: dmz, addresses: [198.18.10.2], mac: "02:00:00:00:00:02" } ]
"""


class Hosts:
    def __init__(self, session):
        self.session = session
        self.host, self.ext = outside(session)

    def close(self):
        self.host.delete()
        self.ext.delete()


@pytest.fixture
def host(session, closing):
    return closing.add(Hosts(session)).host


@pytest.fixture
def dnetbpf(session):
    def call(*words, **options):
        options.setdefault("check", False)
        return run(session.dnetbpf, *words, **options)
    return call


def said(done):
    """What it said; a person must not see a raw errno or a crash."""
    text = done.stdout + done.stderr
    for bad in ("Sanitizer", "assert", "Segmentation", "(null)"):
        assert bad not in text, text
    return text


def refused(daemon, code, *parts):
    """A start that must end by itself with that exit code and say these things."""
    process = daemon.launch()
    assert process.wait(20) == code, daemon.log()
    text = process.output() + process.errors()
    for part in parts:
        assert part.lower() in text.lower(), f"'{part}' is not in: {text}"
    return text


@pytest.mark.parametrize("command", ["run", "ps", "events", "status", "doctor", "unload", "version"])
def test_every_command_has_help(dnetbpf, command):
    done = dnetbpf(command, "--help")
    assert done.returncode == 0 and command in done.stdout and "--json" in done.stdout, said(done)
    assert command in dnetbpf("--help").stdout


def test_unknown_option_and_command_are_usage_errors(dnetbpf):
    for words, parts in ((("run", "--metric", "x"), ["--metric", "--metrics"]), (("pss",), ["pss", "ps"]),
                         (("ps", "--nonsense"), ["--nonsense"]), (("run", "--control"), ["--control"]),
                         (("run", "--attach", "sideways"), ["sideways", "tcx", "clsact"])):
        done = dnetbpf(*words)
        assert done.returncode == 2, (words, said(done))
        for part in parts:
            assert part in said(done), (words, said(done))


def test_version(dnetbpf):
    assert dnetbpf("version").returncode == 0
    assert json.loads(dnetbpf("version", "--json").stdout)["version"]


@pytest.mark.parametrize("command", ["ps", "events", "status"])
def test_no_control_socket(dnetbpf, session, command):
    path = os.path.join(session.directory, "nobody.sock")
    done = dnetbpf(command, "--control", path)
    assert done.returncode == 1 and path in said(done) and "dnetbpf run" in said(done), said(done)
    done = dnetbpf(command, "--json", "--control", path)
    assert done.returncode == 1


BAD_FILES = {
    "rule": ("version: 1\npolicies:\n  - name: web\n    select: all\n    ingress:\n      - \"allow 80/tcp form any\"\n", 6, 23),
    "port": ("version: 1\npolicies:\n  - name: web\n    select: all\n    egress:\n      - allow 80000/tcp to any\n", 6, 15),
    "unknown key": ("version: 1\npolicy: []\n", 2, 1),
    "not yaml": ("version: 1\npolicies: [\n", None, None),
    "version": ("version: 7\n", 1, 10),
    "direction": ("version: 1\npolicies:\n  - name: web\n    select: all\n    ingress: [ \"allow to any\" ]\n", 5, 23),
    "countries": ("version: 1\ngeo: { database: nowhere }\n", 2, 18),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_policy_file_stops_the_start_with_line_and_column(host, daemon, name):
    text, line, column = BAD_FILES[name]
    daemon = daemon(host, inventory=INVENTORY, policy=text)
    where = f"{daemon.policy_path}:{line}:{column}:" if line else f"{daemon.policy_path}:"
    refused(daemon, 2, where)
    assert daemon.leftovers() == [], "a refused start leaves nothing"


def test_a_missing_policy_file_that_was_asked_for(host, daemon):
    daemon = daemon(host, inventory=INVENTORY)
    os.unlink(daemon.policy_path)
    refused(daemon, 2, daemon.policy_path)


def test_a_bad_inventory_file(host, daemon):
    daemon = daemon(host, inventory=INVENTORY.replace("network: dmz,", "network: dmy,"))
    refused(daemon, 2, daemon.inventory_path + ":", "dmy")


def test_a_bad_file_keeps_what_is_in_force(host, daemon):
    """A policy that cannot be read never opens anything: programs and pins of the last daemon stay."""
    daemon = daemon(host, inventory=INVENTORY, policy="version: 1\n").start()
    daemon.kill()
    before = sorted(os.listdir(daemon.pin))
    daemon.write_policy("version: 1\npolicies: 7\n")
    refused(daemon, 2, daemon.policy_path + ":2:11:")
    assert sorted(os.listdir(daemon.pin)) == before


def test_port_in_use(host, daemon):
    server = host.serve("tcp:9999")
    refused(daemon(host, inventory=INVENTORY, port=9999), 1, "127.0.0.1:9999", "in use", "--metrics")
    server.stop()


def test_another_daemon_at_the_control_socket_and_the_pins(host, daemon):
    first = daemon(host, inventory=INVENTORY).start()
    same_pin = daemon(host, inventory=INVENTORY, pin=first.pin, port=9470)
    refused(same_pin, 1, "another", first.pin)
    same_pin.process = None
    same_control = daemon(host, inventory=INVENTORY, port=9471)
    same_control.control = first.control
    refused(same_control, 1, first.control)
    same_control.control = os.path.join(same_control.directory, "control.sock")
    assert first.command("status").returncode == 0, "the first one is not disturbed"


def test_a_stale_control_socket_is_replaced(host, daemon):
    daemon = daemon(host, inventory=INVENTORY).start()
    daemon.kill()
    assert os.path.exists(daemon.control)
    daemon.start()
    assert oct(os.stat(daemon.control).st_mode & 0o777) == "0o660"


def test_docker_not_reachable_is_said_once_and_no_end(host, daemon):
    daemon = daemon(host)
    daemon.extra = ["--docker", "unix:///nowhere/docker.sock"]
    daemon.start()
    assert "/nowhere/docker.sock" in daemon.log()
    assert daemon.status()["inventory"]["connected"] is False
    assert "/nowhere/docker.sock" in daemon.command("status").stdout


def test_not_root(host, daemon, session):
    daemon = daemon(host, inventory=INVENTORY)
    # The program's own folder may be closed to others.
    program = shutil.copy(session.dnetbpf, os.path.join(session.directory, "dnetbpf-for-others"))
    os.chmod(session.directory, 0o755)
    os.chmod(program, 0o755)
    done = run(*host.inside("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, *daemon.arguments()[1:]),
               check=False)
    assert done.returncode in (1, 3) and "root" in said(done).lower(), said(done)
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "unload", check=False)
    assert done.returncode == 1 and "root" in said(done).lower(), said(done)


@pytest.mark.parametrize("missing", ["bpf,-sys_admin", "net_admin"])
def test_a_missing_capability_is_named(host, daemon, missing):
    daemon = daemon(host, inventory=INVENTORY)
    without = (f"--bounding-set=-{missing}", f"--inh-caps=-{missing}")
    done = run(*host.inside("setpriv", *without, *daemon.arguments()), check=False)
    name = "CAP_" + missing.split(",")[0].upper()
    assert done.returncode in (1, 3) and name in said(done), said(done)


def test_no_bpffs_is_mounted_where_it_belongs(host, daemon):
    """In a mount namespace of its own, where none is."""
    daemon = daemon(host, inventory=INVENTORY, extra=["--once"])
    script = ('while umount /sys/fs/bpf 2>/dev/null; do :; done; "$@" && ls -d "$PIN" && '
              'grep " /sys/fs/bpf bpf " /proc/mounts && "$DNETBPF" unload --pin "$PIN" --control /nonexistent')
    variables = (f"PIN={daemon.pin}", f"DNETBPF={daemon.session.dnetbpf}")
    done = run(*host.inside("unshare", "--mount", "env", *variables, "sh", "-c", script, "sh", *daemon.arguments()), check=False)
    assert done.returncode == 0, said(done)
    assert daemon.leftovers() == []


def test_pins_outside_a_bpffs_are_refused(host, daemon, session):
    refused(daemon(host, inventory=INVENTORY, pin=os.path.join(session.directory, "no-bpffs")), 1, "bpffs", session.directory, "--pin")


def test_doctor_speaks_in_sentences(host, session):
    for words in ([], ["--json"]):
        done = host.run(session.dnetbpf, "doctor", "--docker", "unix:///nowhere/docker.sock", "--control",
                        "/nowhere/control.sock", *words, check=False)
        assert done.returncode in (0, 1), said(done)
        assert "/nowhere/docker.sock" in said(done) and "bpffs" in said(done).lower(), said(done)
    assert json.loads(done.stdout)


def test_another_namespace_is_refused(host, daemon, session, closing):
    """Pins belong to the namespace that they were made for."""
    first = daemon(host, inventory=INVENTORY).start()
    first.stop()
    elsewhere = closing.add(Hosts(session)).host
    second = daemon(elsewhere, inventory=INVENTORY, pin=first.pin)
    refused(second, 1, "namespace", first.pin)
    second.process = None
