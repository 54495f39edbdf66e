# SPDX-License-Identifier: GPL-2.0
"""The world of lib/cases.py, once with a real Docker and once with bridges and veths alone."""

from lib.cases import LABELS, MEMBERS, NETWORKS, SERVICES, World
from lib.dockerhost import outside
from lib.place import Namespace

SERVE = ("serve", "tcp:80-99", "udp:80-99")


def _host_part(subnet, number):
    return subnet.split("/")[0].rstrip("0") + str(number) if "." in subnet else subnet.split("/")[0] + str(number)


def docker_world(docker):
    """On a DockerHost that is empty. The containers are made and started, host and ext serve."""
    for name, subnets in NETWORKS.items():
        docker.network(name, subnets=subnets)
    places = {"host": docker.host, "ext": docker.ext}
    for name, networks in MEMBERS.items():
        first = next(iter(networks))
        addresses = [_host_part(subnet, networks[first]) for subnet in NETWORKS[first]]
        container = docker.create(name, network=first, address=addresses[0],
                                  address6=addresses[1] if len(addresses) > 1 else None, service=SERVICES[name],
                                  labels=LABELS.get(name))
        for other in list(networks)[1:]:
            docker.connect(other, container, _host_part(NETWORKS[other][0], networks[other]))
        container.docker("start")
        places[name] = container
    servers = [place.serve(*SERVE[1:]) for place in (docker.host, docker.ext)]
    return World(places), servers


class NetWorld(World):
    """Bridges br-front and br-back in a host namespace, a namespace for each container, no Docker."""

    def __init__(self, session):
        self.session = session
        self.host, self.ext = outside(session)
        super().__init__({"host": self.host, "ext": self.ext})
        self.host.name, self.ext.name = "host", "ext"
        self.servers = []
        self.endpoints = []
        for network, subnets in NETWORKS.items():
            self.host.ip("link", "add", f"br-{network}", "type", "bridge", "forward_delay", "0")
            self.host.ip("link", "set", f"br-{network}", "up")
            for subnet in subnets:
                self.host.address(f"br-{network}", _host_part(subnet, 1) + "/" + subnet.split("/")[1])
        for name, networks in MEMBERS.items():
            self.places[name] = Namespace(session, f"{name}{session.number('place')}")
            self.places[name].name = name
            for network, number in networks.items():
                # One default route, by the first network, as Docker does it: of two the kernel takes turns.
                self.plug(name, network, number, default_route=network == next(iter(networks)))
        for place in self.places.values():
            self.servers.append(place.serve(*SERVE[1:]))

    def plug(self, name, network, number, default_route=True):
        """Join the namespace of that name to a network: a veth, addresses, and an entry of the inventory."""
        place, outer, inner = self.places[name], f"v-{name}-{network}", f"to-{network}"
        self.host.ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", place.full_name)
        self.host.ip("link", "set", outer, "master", f"br-{network}")
        self.host.ip("link", "set", outer, "up")
        addresses = [_host_part(subnet, number) for subnet in NETWORKS[network]]
        place.address(inner, *[f"{address}/{subnet.split('/')[1]}" for address, subnet in zip(addresses, NETWORKS[network])])
        place.ip("link", "set", inner, "up")
        if default_route:
            for subnet in NETWORKS[network]:
                place.ip("route", "add", "default", "via", _host_part(subnet, 1))
        self.endpoints.append({"container": name, "network": network, "interface": outer, "addresses": addresses,
                               "mac": place.mac(inner), "service": SERVICES.get(name), "labels": dict(LABELS.get(name) or {})})
        return self.endpoints[-1]

    def inventory(self):
        """The static inventory of this world, as the daemon reads it."""
        lines = ["networks:"]
        for network, subnets in NETWORKS.items():
            quoted = ", ".join(f'"{subnet}"' for subnet in subnets)
            lines.append(f"  - {{ name: {network}, bridge: br-{network}, subnets: [{quoted}] }}")
        lines.append("endpoints:")
        for end in self.endpoints:
            quoted = ", ".join(f'"{address}"' for address in end["addresses"])
            words = [f"container: {end['container']}", f"interface: {end['interface']}", f"network: {end['network']}",
                     f"addresses: [{quoted}]", f'mac: "{end["mac"]}"']
            if end["service"]:
                words.append(f"service: {end['service']}")
            if end["labels"]:
                words.append("labels: { " + ", ".join(f'{key}: "{value}"' for key, value in end["labels"].items()) + " }")
            for key in ("resolvers", "image-labels"):
                if end.get(key):
                    words.append(f"{key}: [" + ", ".join(f'"{value}"' for value in end[key]) + "]")
            lines.append("  - { " + ", ".join(words) + " }")
        return "\n".join(lines) + "\n"

    def close(self):
        for server in self.servers:
            server.kill()
        for place in self.places.values():
            place.delete()


