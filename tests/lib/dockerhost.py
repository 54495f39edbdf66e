# SPDX-License-Identifier: GPL-2.0
"""
A real dockerd inside a network namespace of its own, with an `ext` namespace on the outside, joined by a veth. The machine's
own interfaces, firewall and Docker are not touched, and nothing can leave.
"""

import json
import os
import shutil

from lib.place import Namespace, Place, join
from lib.session import MARK
from lib.shell import Process, run, wait_until

HOST_V4, HOST_V6 = "198.18.77.1", "fd77::1"
EXT_V4, EXT_V6 = "198.18.77.2", "fd77::2"
EXT_OTHER_V4, EXT_OTHER_V6 = "198.18.77.3", "fd77::3"
IMAGE = "probe"


def outside(session):
    """The namespaces of a host and of the world outside it: (host, ext)."""
    host, ext = Namespace(session, f"host{session.number('host')}"), Namespace(session, f"ext{session.number('ext')}")
    join(host, "up0", ext, "eth0")
    host.address("up0", f"{HOST_V4}/24", f"{HOST_V6}/64")
    ext.address("eth0", f"{EXT_V4}/24", f"{EXT_V6}/64", f"{EXT_OTHER_V4}/24")
    # Not preferred, so that it is a source only where a test asks for it.
    ext.ip("address", "add", f"{EXT_OTHER_V6}/64", "dev", "eth0", "nodad", "preferred_lft", "0")
    ext.ip("route", "add", "default", "via", HOST_V4)
    ext.ip("route", "add", "default", "via", HOST_V6)
    host.ip("route", "add", "default", "via", EXT_V4)
    host.ip("route", "add", "default", "via", EXT_V6)
    host.sysctl("net.ipv4.ip_forward", 1)
    host.sysctl("net.ipv6.conf.all.forwarding", 1)
    return host, ext


class Container(Place):
    def __init__(self, docker, name, container_id):
        self.docker_host = docker
        self.session = docker.session
        self.name = name
        self.id = container_id
        self._pid = None

    def inspect(self, template):
        return self.docker_host.docker("inspect", "--format", template, self.id).stdout.strip()

    def pid(self):
        return int(self.inspect("{{.State.Pid}}"))

    def net_path(self):
        if not self._pid or not os.path.exists(f"/proc/{self._pid}/ns/net"):
            self._pid = self.pid()
            assert self._pid, f"the container {self.name} does not run:\n{self.logs()}"
        return f"/proc/{self._pid}/ns/net"

    def address(self, network=None, family=4):
        networks = json.loads(self.inspect("{{json .NetworkSettings.Networks}}"))
        network = network or next(iter(networks))
        return networks[network]["IPAddress" if family == 4 else "GlobalIPv6Address"]

    def interface(self, network=None):
        """Its own interface on that network."""
        address = self.address(network)
        for link in json.loads(self.run("ip", "-j", "address").stdout):
            if any(entry.get("local") == address for entry in link["addr_info"]):
                return link["ifname"]
        raise AssertionError(f"{self.name} has no interface with {address}")

    def veth(self, network=None):
        """The host side of its interface on that network."""
        links = json.loads(self.run("ip", "-j", "link").stdout)
        own = self.interface(network)
        index = next(link["link_index"] for link in links if link["ifname"] == own)
        host = json.loads(self.docker_host.host.ip("-j", "link").stdout)
        return next(link["ifname"] for link in host if link["ifindex"] == index)

    def docker(self, verb, *words, **options):
        self._pid = None
        return self.docker_host.docker(verb, *words, self.id, **options)

    def logs(self):
        done = self.docker_host.docker("logs", self.id, check=False)
        return done.stdout + done.stderr

    def wait_logs(self, word, timeout=20):
        wait_until(lambda: any(line.split(" ", 1)[0] == word for line in self.logs().splitlines()),
                   lambda: f"'{word}' in the output of {self.name}: {self.logs()}", timeout)

    def remove(self):
        self.docker_host.docker("rm", "--force", self.id, check=False)


class DockerHost:
    def __init__(self, session):
        self.session = session
        self.directory = os.path.join(session.directory, f"docker{session.number('docker')}")
        os.makedirs(os.path.join(self.directory, "config"))
        self.socket = os.path.join(self.directory, "docker.sock")
        self.process = None
        self.host, self.ext = outside(session)
        self.host.name, self.ext.name = "host", "ext"

    @property
    def url(self):
        return f"unix://{self.socket}"

    # ---- the daemon

    def start(self):
        for tool in ("dockerd", "iptables", "busybox"):
            assert shutil.which(tool), f"{tool} is not installed; scripts/setup check installs what the tests need"
        words = ["dockerd", "--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/exec",
                 "--host", self.url, "--pidfile", f"{self.directory}/docker.pid", "--storage-driver", "overlay2",
                 "--experimental", "--ip6tables", "--shutdown-timeout", "5"]
        # A process group of its own: a Ctrl-C for the tests must not end it before their clean-up.
        self.process = Process(self.host.inside(*words), self.directory, f"dockerd{self.session.number('dockerd')}",
                               env=self.session.env, group=True)
        wait_until(self._answers, lambda: f"dockerd to answer:\n{self.process.errors()[-3000:]}", 40, 0.05)
        self.host.no_bridge_netfilter()
        # Docker's default is to forward only to published ports; the policy tests want to meet dnetbpf's verdict alone.
        # 20.10 has no DOCKER-USER chain for IPv6.
        for tool, chain in (("iptables", "DOCKER-USER"), ("ip6tables", "FORWARD")):
            for direction in ("-i", "-o"):
                rule = (chain, direction, "up0", "-j", "ACCEPT")
                if self.host.run(tool, "-C", *rule, check=False).returncode:
                    self.host.run(tool, "-I", *rule)

    def _answers(self):
        assert self.process.running(), f"dockerd ended:\n{self.process.errors()[-3000:]}"
        return self.docker("version", check=False).returncode == 0

    def stop(self):
        if self.process:
            self.process.stop(60)
            self.process = None

    def close(self):
        if self.process and self.process.running():
            every = self.docker("ps", "--all", "--quiet").stdout.split()
            if every:
                self.docker("rm", "--force", *every, check=False, timeout=120)
        self.stop()
        self.host.delete()
        self.ext.delete()

    # ---- its command line

    def docker(self, *words, **options):
        options.setdefault("timeout", 60)
        client = shutil.which("docker", path="/usr/bin:/usr/sbin:/bin") or "docker"
        return run(client, "--config", f"{self.directory}/config", "--host", self.url, *words, env=self.session.env, **options)

    def make_image(self, labels=None, name=IMAGE):
        """An image without a registry: busybox and the test tools."""
        root = os.path.join(self.directory, f"root-{name}")
        os.makedirs(f"{root}/bin", exist_ok=True)
        shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
        if not os.path.lexists(f"{root}/bin/sh"):
            os.symlink("busybox", f"{root}/bin/sh")
        for tool in (self.session.netprobe, self.session.packetprobe):
            shutil.copy(tool, root)
        archive = os.path.join(self.directory, f"{name}.tar")
        run("tar", "-C", root, "-cf", archive, ".")
        changes = [word for key, value in (labels or {}).items() for word in ("--change", f'LABEL "{key}"="{value}"')]
        self.docker("import", *changes, archive, name)

    def network(self, name, *options, subnets=()):
        words = [word for subnet in subnets for word in ("--subnet", subnet)]
        if any(":" in subnet for subnet in subnets):
            words.append("--ipv6")
        return self.docker("network", "create", *words, *options, name).stdout.strip()

    def bridge(self, network):
        return "br-" + self.docker("network", "inspect", "--format", "{{.Id}}", network).stdout.strip()[:12]

    def gateway(self, network):
        return self.docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network).stdout.strip()

    def create(self, name, *command, network=None, address=None, address6=None, labels=None, service=None, options=(),
               image=IMAGE, verb="create"):
        """
        service: "project/service", as compose's labels. Returns the Container; start() or run() starts it.
        """
        words = ["--name", name, "--env", f"{MARK}={self.session.name}", *options]
        labels = dict(labels or {})
        if service:
            project, short = service.split("/")
            labels.update({"com.docker.compose.project": project, "com.docker.compose.service": short})
        for key, value in labels.items():
            words += ["--label", f"{key}={value}"]
        for option, value in (("--network", network), ("--ip", address), ("--ip6", address6)):
            if value:
                words += [option, value]
        if verb == "run":
            words.append("--detach")
        command = command or ("/netprobe", "serve", "tcp:80-99", "udp:80-99")
        return Container(self, name, self.docker(verb, *words, image, *command).stdout.split()[-1])

    def run(self, name, *command, **options):
        return self.create(name, *command, verb="run", **options)

    def connect(self, network, container, address=None):
        self.docker("network", "connect", *(["--ip", address] if address else []), network, container.id)

    def disconnect(self, network, container):
        self.docker("network", "disconnect", network, container.id)

    def remove(self, *containers):
        ids = [container.id for container in containers]
        if ids:
            self.docker("rm", "--force", *ids, check=False, timeout=180)

    def remove_networks(self, *names):
        if names:
            self.docker("network", "rm", *names, check=False)

    def sweep(self):
        """No containers and no networks of tests: what each test starts from."""
        if self.process is None or not self.process.running():
            self.start()
        every = self.docker("ps", "--all", "--quiet", "--no-trunc").stdout.split()
        if every:
            self.docker("rm", "--force", *every, check=False, timeout=180)
        networks = self.docker("network", "ls", "--quiet", "--filter", "type=custom").stdout.split()
        if networks:
            try:
                wait_until(lambda: self._networks_removed(networks), "the networks of the last test to go", 5, 0.2)
            except AssertionError:
                # 20.10 can count an endpoint that is nowhere any more; it forgets it when it starts.
                self.stop()
                self.start()
                wait_until(lambda: self._networks_removed(networks), "the networks of the last test to go", 10, 0.2)

    def _networks_removed(self, networks):
        if self.docker("network", "rm", *networks, check=False).returncode == 0:
            return True
        # 20.10 can leave an endpoint behind when a container ends while others start.
        for network in networks:
            names = self.docker("network", "inspect", "--format", "{{range .Containers}}{{.Name}} {{end}}", network,
                                check=False).stdout.split()
            for name in names:
                self.docker("network", "disconnect", "--force", network, name, check=False)
        return not self.docker("network", "ls", "--quiet", "--filter", "type=custom").stdout.split()


def web_and_client(docker, labels=None, service="shop/web", options=()):
    """The small setting of many tests: network `front`, and on it `web` (.11) and `client` (.12)."""
    docker.network("front", subnets=("198.18.10.0/24",))
    web = docker.run("web", network="front", address="198.18.10.11", labels=labels, service=service, options=options)
    client = docker.run("client", network="front", address="198.18.10.12")
    return web, client
