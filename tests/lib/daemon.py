# SPDX-License-Identifier: GPL-2.0
"""`dnetbpf run` in a namespace, with pins, control socket and metrics port of its own, and the commands that ask it."""

import json
import os
import shutil
import textwrap

from lib.place import DENY_MS
from lib.shell import Process, run, wait_until

METRICS_PORT = 9469


def tcx_here():
    """TCX came with Linux 6.6."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()))) >= (6, 6)


ATTACH_MODES = ["tcx", "clsact"] if tcx_here() else ["clsact"]


def programs(place):
    """What hangs on the interfaces of a namespace: a list of sentences, empty when there is nothing."""
    found = [f"TCX program: {line}" for line in place.run(place.session.packetprobe, "programs").stdout.splitlines()]
    for qdisc in json.loads(place.run("tc", "-j", "qdisc", "show").stdout or "[]"):
        if qdisc["kind"] in ("clsact", "ingress"):
            found.append(f"qdisc {qdisc['kind']} on {qdisc['dev']}")
    return found


class Daemon:
    """
    policy: text of the policy file, or None for a file that selects nothing; config=False gives no --config at all.
    inventory: text of a static inventory; docker: a DockerHost. One of them.
    """

    def __init__(self, place, attach="auto", policy=None, inventory=None, docker=None, config=True, extra=(), pin=None,
                 port=METRICS_PORT):
        self.place, self.session, self.attach, self.docker_host = place, place.session, attach, docker
        number = self.session.number("daemon")
        self.directory = os.path.join(self.session.directory, f"daemon{number}")
        os.mkdir(self.directory)
        self.pin = pin or self.session.pin()
        self.control = os.path.join(self.directory, "control.sock")
        self.policy_path = os.path.join(self.directory, "policy.yaml")
        self.inventory_path = os.path.join(self.directory, "inventory.yaml")
        self.config, self.extra, self.port = config, list(extra), port
        self.write_policy(policy if policy is not None else "version: 1\n")
        if inventory is not None:
            self.write_inventory(inventory)
        self.has_inventory = inventory is not None
        self.process = None
        self._runs = 0

    def write_policy(self, text):
        with open(self.policy_path, "w") as file:
            file.write(textwrap.dedent(text))

    def write_inventory(self, text):
        with open(self.inventory_path, "w") as file:
            file.write(textwrap.dedent(text))

    # ---- running

    def arguments(self):
        words = [self.session.dnetbpf, "run", "--pin", self.pin, "--control", self.control, "--metrics",
                 f"127.0.0.1:{self.port}", "--log", "json", "--attach", self.attach]
        if self.config:
            words += ["--config", self.policy_path]
        if self.has_inventory:
            words += ["--inventory", f"static:{self.inventory_path}"]
        elif self.docker_host:
            words += ["--docker", self.docker_host.url]
        return words + self.extra

    def launch(self):
        """Start without waiting: for starts that are to fail."""
        self._runs += 1
        self.process = Process(self.place.inside(*self.arguments()), self.directory, f"run{self._runs}", env=self.session.env)
        return self.process

    def start(self, wait_connected=True):
        """Start, and wait until it says that it is ready (and, with Docker, that it has read the lists)."""
        self.launch()

        def ready():
            assert self.process.running(), f"dnetbpf run ended with {self.process.popen.returncode}:\n{self.log()}"
            return self.command("status", check=False).returncode == 0
        wait_until(ready, lambda: f"dnetbpf to be ready:\n{self.log()}", 20)
        if self.docker_host and wait_connected:
            wait_until(lambda: self.status()["inventory"]["connected"], "dnetbpf to reach Docker", 20)
        return self

    def running(self):
        return self.process is not None and self.process.running()

    def log(self):
        return self.process.output()[-4000:] + self.process.errors()[-4000:] if self.process else ""

    def stop(self):
        """SIGTERM; everything stays in force."""
        code = self.process.stop(15)
        assert code == 0, f"dnetbpf run ended with {code}:\n{self.log()}"

    def kill(self):
        self.process.kill()

    def unload(self, check=True):
        return self.command("unload", "--pin", self.pin, check=check)

    def leftovers(self):
        found = programs(self.place)
        if os.path.exists(self.pin):
            found.append(f"pins in {self.pin}: {sorted(os.listdir(self.pin))[:5]}")
        return found

    def close(self):
        """End it and take everything away; what is left then is a failure of `unload`."""
        problems = []
        if self.process is not None:
            if not self.process.running() and self.process.popen.returncode not in (0, -9, 1, 2, 3):
                problems.append(f"dnetbpf run ended with {self.process.popen.returncode}:\n{self.log()}")
            if self.process.running():
                try:
                    self.stop()
                except AssertionError as problem:
                    problems.append(str(problem))
            done = self.unload(check=False)
            if done.returncode:
                problems.append(f"dnetbpf unload: exit {done.returncode}\n{done.stdout}{done.stderr}")
            problems += [f"left after unload: {thing}" for thing in self.leftovers()]
            self._sweep()
        assert not problems, "\n".join(problems)

    def _sweep(self):
        """After a failure: the next test must not find what this one could not unload."""
        shutil.rmtree(self.pin, ignore_errors=True)
        for qdisc in json.loads(self.place.run("tc", "-j", "qdisc", "show", check=False).stdout or "[]"):
            if qdisc["kind"] == "clsact":
                self.place.run("tc", "qdisc", "delete", "dev", qdisc["dev"], "clsact", check=False)

    # ---- asking

    def command(self, command, *words, **options):
        return run(*self.place.inside(self.session.dnetbpf, *command.split(), "--control", self.control, *words),
                   env=self.session.env, **options)

    def json(self, command, *words):
        return json.loads(self.command(command, "--json", *words).stdout)

    def status(self):
        return self.json("status")

    def ps(self, container=None, network=None):
        """The endpoints, or those of one container (and network)."""
        return [e for e in self.json("ps")["endpoints"]
                if container in (None, e["container"]) and network in (None, e["network"])]

    def state(self, container, network=None):
        states = {e["state"] for e in self.ps(container, network)}
        return states.pop() if len(states) == 1 else "/".join(sorted(states))

    def wait_state(self, container, state, network=None, count=1):
        wait_until(lambda: [e["state"] for e in self.ps(container, network)] == [state] * count,
                   lambda: f"{container} to be {state}: {self.ps(container)}\n{self.log()[-1500:]}", 15)

    def metrics(self):
        return self.place.run(self.session.netprobe, "get", "127.0.0.1", self.port, "/metrics").stdout

    def metric(self, name, **labels):
        """The sum of the samples of that name whose labels have these values; None when there is no such sample."""
        values = [value for sample, have, value in parse_metrics(self.metrics())
                  if sample == name and all(have.get(key) == wanted for key, wanted in labels.items())]
        return sum(values) if values else None

    def events(self, **wanted):
        lines = self.command("events", "--json").stdout.splitlines()
        return [event for event in map(json.loads, lines) if matches(event, wanted)]

    def mark(self):
        """How many events there are: expect_event(after=mark) looks at later ones only."""
        return len(self.events())

    def expect_event(self, after=0, timeout=10, **wanted):
        def found():
            return [event for event in self.events()[after:] if matches(event, wanted)]

        def sentence():
            near = [{key: event.get(key) for key in sorted({*wanted, "reason", "container", "src", "dst", "dst_port"})}
                    for event in self.events()[after:]][-8:]
            return f"an event with {wanted}; there are {near}"
        return wait_until(found, sentence, timeout)[-1]


def matches(event, wanted):
    """wanted: values by key; a tuple means any of them."""
    return all(event.get(key) in (value if isinstance(value, tuple) else (value,)) for key, value in wanted.items())


def parse_metrics(text):
    """(name, labels, value) of each sample of the text exposition format, as far as dnetbpf uses it."""
    samples = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, value = line.rsplit(" ", 1)
        name, _, rest = series.partition("{")
        labels = {}
        for pair in _split_labels(rest.rstrip("}")):
            key, _, quoted = pair.partition("=")
            labels[key] = quoted.strip('"')
        samples.append((name, labels, float(value)))
    return samples


def service_names(service):
    """How a service may be written: with its project or without."""
    return (service, service.split("/")[1]) if service else ("",)


def _split_labels(text):
    pairs, start, quoted = [], 0, False
    for i, character in enumerate(text):
        if character == '"' and (i == 0 or text[i - 1] != "\\"):
            quoted = not quoted
        elif character == "," and not quoted:
            pairs.append(text[start:i])
            start = i + 1
    return [pair for pair in [*pairs, text[start:]] if pair]


def denied(daemon, place, address, port, proto="tcp", **wanted):
    """Try; it must come to nothing and be reported as wanted. Returns the event."""
    after = daemon.mark()
    answer = place.try_proto(proto, address, port, DENY_MS)
    assert answer == "timeout", f"{place.name} to {address} {proto} {port}: {answer}, but it is to be denied"
    return daemon.expect_event(after, verdict="deny", dst=address, dst_port=port, proto=proto, **wanted)


def allowed(place, address, port, proto="tcp", source=None):
    answer = place.try_proto(proto, address, port, source=source)
    assert answer == "open", f"{place.name} to {address} {proto} {port}: {answer}, but it is allowed"
