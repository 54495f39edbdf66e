# SPDX-License-Identifier: GPL-2.0
"""A daemon over the world of lib/worlds.py with a policy that a test writes, and questions about it."""

import copy

from lib.daemon import allowed, denied
from lib.place import DENY_MS
from lib.shell import wait_until


class Scene:
    """A daemon over the world with a policy; labels and what else the inventory says of a container are this scene's alone."""

    def __init__(self, world, make, policy, labels=None, more=None, attach="auto", **options):
        self.world, saved = world, copy.deepcopy(world.endpoints)
        for end in world.endpoints:
            end["labels"].update((labels or {}).get(end["container"], {}))
            end.update((more or {}).get(end["container"], {}))
        self.daemon = make(world.host, attach=attach, policy=policy, inventory=world.inventory(), **options)
        world.endpoints[:] = saved

    def start(self):
        self.daemon.start()
        wait_until(lambda: not {"pending", "unattached"} & {end["state"] for end in self.daemon.ps()},
                   lambda: f"all containers to be known: {self.daemon.ps()}", 15)
        return self

    def reload(self, policy, check=True):
        self.daemon.write_policy(policy)
        return self.daemon.command("policy reload", check=check)

    def opens(self, source, target, port, network="front", family=4, own=None, proto="tcp"):
        """target: a name of the world, or an address; own: the address that it is sent from."""
        to = target if "." in target or ":" in target else self.world.address(target, network, family)
        allowed(self.world.places[source], to, port, proto, source=own)

    def denies(self, source, target, port, network="front", family=4, own=None, **wanted):
        to = target if "." in target or ":" in target else self.world.address(target, network, family)
        if own is None:
            return denied(self.daemon, self.world.places[source], to, port, **wanted)
        after = self.daemon.mark()
        answer = self.world.places[source].connect(to, port, DENY_MS, source=own)
        assert answer == "timeout", f"{own} to {to} port {port}: {answer}, but it is to be denied"
        return self.daemon.expect_event(after, verdict="deny", src=own, dst=to, dst_port=port, **wanted)


def of_web(ingress=None, egress=None, head="", name="web", select="container:web", more=""):
    """A policy file with one policy; ingress, egress: lists of rules, or None for a direction that is absent."""
    text = f"version: 1\n{head}{head and chr(10)}policies:\n  - name: {name}\n    select: \"{select}\"\n{more}"
    for direction, rules in (("ingress", ingress), ("egress", egress)):
        if rules is not None:
            text += f"    {direction}: [ " + ", ".join(f'"{rule}"' for rule in rules) + " ]\n"
    return text


def rule_of_web(scene, layer="file", number=0):
    """A rule as `policy show` has it, at the interface on the network front."""
    ends = scene.daemon.json("policy show", "web")["endpoints"]
    layers = next(end for end in ends if end["network"] == "front")["directions"]["ingress"]["layers"]
    return next(one for one in layers if one["layer"] == layer)["rules"][number]
