/* SPDX-License-Identifier: GPL-2.0 */
/*
 * docker-watch [unix:///PATH] [BRIDGE]: prints what the Docker inventory knows, one JSON object a line, whenever it changes. With
 * BRIDGE every link event of this namespace is printed too, and a link that joins BRIDGE makes a hint, as in the daemon.
 * For development: how late is the inventory?
 */
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/netlink.h"
#include "base/text.h"
#include "docker/docker.h"

struct watcher {
	struct event_base *base;
	struct docker *docker;
	const char *bridge;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print(json_t *object)
{
	json_object_set_new(object, "at", json_real(now()));
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *container_json(const struct container *container)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < container->label_count; i++)
		json_object_set_new(labels, container->labels[i].key, json_string(container->labels[i].value));
	return json_pack("{s:s#, s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "id", container->id, 12, "name", container->name, "image",
			 container->image, "project", text_or_null(container->project), "service",
			 text_or_null(container->service), "state", container->state == CONTAINER_RUNNING ? "running" : "created",
			 "network_mode", text_or_null(container->network_mode), "labels", labels);
}

static json_t *network_json(const struct network *network)
{
	json_t *subnets = json_array();
	char prefix[TEXT_PREFIX_SIZE];

	for (size_t i = 0; i < network->subnet_count; i++)
		json_array_append_new(subnets, json_string(text_prefix(&network->subnets[i].addr, network->subnets[i].prefix_len,
								       prefix)));
	return json_pack("{s:s#, s:s, s:s, s:o, s:b, s:o}", "id", network->id, 12, "name", network->name, "driver", network->driver,
			 "bridge", text_or_null(network->bridge), "internal", network->internal, "subnets", subnets);
}

static json_t *attachment_json(const struct inventory *inventory, const struct attachment *attachment)
{
	const struct container *container = inventory_container(inventory, attachment->container_id);
	const struct network *network = inventory_network(inventory, attachment->network_id);
	json_t *addresses = json_array();
	char text[TEXT_ADDR_SIZE], mac[18];

	for (size_t i = 0; i < attachment->address_count; i++)
		json_array_append_new(addresses, json_string(text_addr(&attachment->addresses[i], text)));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", attachment->mac[0], attachment->mac[1], attachment->mac[2],
		 attachment->mac[3], attachment->mac[4], attachment->mac[5]);
	return json_pack("{s:s, s:s, s:s, s:o}", "container", container ? container->name : attachment->container_id, "network",
			 network ? network->name : attachment->network_id, "mac", attachment->has_mac ? mac : "", "addresses",
			 addresses);
}

static void on_changed(void *context, const struct inventory *inventory)
{
	json_t *containers = json_array(), *networks = json_array(), *attachments = json_array();
	struct watcher *watcher = context;
	struct docker_statistics statistics;

	for (size_t i = 0; i < inventory->container_count; i++)
		json_array_append_new(containers, container_json(&inventory->containers[i]));
	for (size_t i = 0; i < inventory->network_count; i++)
		json_array_append_new(networks, network_json(&inventory->networks[i]));
	for (size_t i = 0; i < inventory->attachment_count; i++)
		json_array_append_new(attachments, attachment_json(inventory, &inventory->attachments[i]));
	docker_get_statistics(watcher->docker, &statistics);
	print(json_pack("{s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "containers", containers, "networks", networks, "attachments",
			attachments, "statistics", "requests", (json_int_t)statistics.requests, "events",
			(json_int_t)statistics.events, "reconnects", (json_int_t)statistics.reconnects, "failures",
			(json_int_t)statistics.failures));
}

static void on_connected(void *context, bool connected, const char *problem)
{
	(void)context;
	print(json_pack("{s:b, s:o}", "connected", connected, "problem", text_or_null(problem)));
}

static void on_link(void *context, const struct netlink_event *event)
{
	static const char *const kinds[] = { "link", "link gone", "address", "filter gone", "overrun" };
	struct watcher *watcher = context;

	print(json_pack("{s:s, s:i, s:s, s:i, s:b, s:i}", "netlink", kinds[event->kind], "ifindex", event->link.ifindex, "name",
			event->link.name, "master", event->link.master, "up", event->link.lower_up, "nsid", event->link.nsid));
	if (event->kind == NETLINK_LINK_NEW && event->link.master && event->link.master == (int)if_nametoindex(watcher->bridge))
		docker_hint_bridge(watcher->docker, watcher->bridge);
}

static void on_netlink(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	netlink_watch_read(fd, on_link, context);
}

static void on_signal(evutil_socket_t signal, short what, void *context)
{
	(void)signal, (void)what;
	event_base_loopbreak(context);
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : "unix:///var/run/docker.sock";
	struct docker_callbacks callbacks = { on_changed, on_connected };
	struct event *links = NULL, *terminate, *interrupt;
	struct watcher watcher = { .bridge = argc > 2 ? argv[2] : NULL };
	struct error error = {};
	int fd;

	watcher.base = event_base_new();
	if (!watcher.base || docker_new(watcher.base, url, &callbacks, &watcher, &watcher.docker, &error) < 0 ||
	    (watcher.bridge && netlink_watch_open(NETLINK_WATCH_LINKS, &fd, &error) < 0)) {
		fprintf(stderr, "docker-watch: %s\n", error.text);
		return 1;
	}
	if (watcher.bridge) {
		links = event_new(watcher.base, fd, EV_READ | EV_PERSIST, on_netlink, &watcher);
		event_add(links, NULL);
	}
	terminate = evsignal_new(watcher.base, SIGTERM, on_signal, watcher.base);
	interrupt = evsignal_new(watcher.base, SIGINT, on_signal, watcher.base);
	evsignal_add(terminate, NULL);
	evsignal_add(interrupt, NULL);
	event_base_dispatch(watcher.base);
	docker_free(watcher.docker);
	if (links)
		event_free(links);
	event_free(terminate);
	event_free(interrupt);
	event_base_free(watcher.base);
	return 0;
}
