# SPDX-License-Identifier: GPL-2.0
"""`policy explain` beside a real Docker: what Docker itself would stop is said, and by which of its doings."""

from lib.dockerhost import EXT_V4
from lib.shell import wait_until

POLICY = """
    version: 1
    policies:
      - { name: web, select: "container:web", ingress: [ "allow 80/tcp from outside as public", "allow 82/tcp from any" ] }
"""


def test_what_docker_does_is_noted(docker, daemon):
    daemon = daemon(docker.host, docker=docker, policy=POLICY).start()
    docker.network("front")
    docker.network("back", "--internal")
    docker.run("web", network="front", options=["--publish", "8080:80/tcp"])
    docker.run("db", network="back")
    docker.run("agent", options=["--network", "host"])
    daemon.wait_state("web", "enforced")
    daemon.wait_state("db", "unselected")

    def explain(packet):
        return daemon.json("policy explain", packet)

    def noted(packet, part):
        notes = explain(packet)["notes"]
        assert any(part in note for note in notes), f"{packet}: '{part}' is not in {notes}"
    # The published ports come with a later list of the engine's.
    wait_until(lambda: any("8080" in note for note in explain(f"tcp {EXT_V4} -> web:80")["notes"]), "the published port to be known")
    public = explain(f"tcp {EXT_V4}:4444 -> web:80")
    assert (public["verdict"], public["rule"], public["container"], public["network"]) == ("pass", "public", "web", "front")
    noted(f"tcp {EXT_V4} -> web:82", "Port 82 of web is not published")
    noted("tcp outside -> db:80", "internal")
    noted("tcp db -> outside:80", "internal")
    noted("tcp web -> db:80", "share no network")
    noted("tcp agent -> web:82", "agent uses the host's network")
    noted("tcp db -> host:8080", "userland proxy")
    assert explain("tcp agent -> web:82")["verdict"] == "pass" and explain("tcp agent -> web:80")["verdict"] == "deny"
    done = daemon.command("policy explain", "tcp outside -> host:8080", check=False)
    assert done.returncode == 1 and "published for web: ask about web:80" in done.stderr, done
    # Gone is gone.
    docker.docker("stop", "--time", "0", "web")
    wait_until(lambda: "not running" in daemon.command("policy explain", "tcp outside -> web:80", check=False).stderr,
               "the stopped container to be said")
