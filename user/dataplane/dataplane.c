/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpf/tc.skel.h"
#include "dataplane/explain.h"
#include "dataplane/words.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t netns_cookie(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return 0;
	return cookie;
}

int dataplane_lock(const char *pin, int *ret_fd, struct error *error)
{
	_cleanup_close_ int fd = open(pin, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(error, -errno, "cannot open the pin directory %s: %s", pin, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(error, -EBUSY, "another dnetbpf daemon already works on the pins in %s; stop it first, "
					 "or give this one a directory of its own with --pin", pin);
		return error_set(error, -errno, "cannot lock the pin directory %s: %s", pin, strerror(errno));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int make_directory(const char *path, struct error *error)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(error, -errno, "cannot make the pin directory %s: %s; its parent must be a directory in a bpffs "
				 "(usually /sys/fs/bpf)", path, strerror(errno));
	return 0;
}

static int set_pin_paths(struct dataplane *dataplane, struct error *error)
{
	struct bpf_map *map;
	char path[4096];

	bpf_object__for_each_map(map, dataplane->skeleton->obj) {
		const char *name = bpf_map__name(map);
		int r;

		if (strchr(name, '.'))	/* .rodata and its like belong to this load alone */
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dataplane->pin, name) >= (int)sizeof(path))
			return error_set(error, -ENAMETOOLONG, "the pin directory's path %s is too long", dataplane->pin);
		if (strcmp(name, "state") == 0)
			dataplane->adopted = access(path, F_OK) == 0;
		r = bpf_map__set_pin_path(map, path);
		if (r < 0)
			return error_set(error, r, "cannot prepare the pin %s: %s", path, strerror(-r));
	}
	return 0;
}

/* The version is looked at before libbpf compares the maps, so that the sentence names the real cause. */
static int check_pinned_state(struct dataplane *dataplane, struct error *error)
{
	struct dnet_state pinned = {};
	_cleanup_close_ int fd = -1;
	char path[4096];
	uint32_t zero = 0;

	snprintf(path, sizeof(path), "%s/state", dataplane->pin);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_map_lookup_elem(fd, &zero, &pinned) < 0)
		return error_set(error, -errno, "cannot read the pin %s: %s", path, strerror(errno));
	/* A daemon that died between making the map and writing it left zeros: nothing was in force yet. */
	if (pinned.abi_version == 0)
		return 0;
	if (pinned.abi_version != DNET_ABI_VERSION)
		return error_set(error, -EPROTO, "the pins in %s were made by another version of dnetbpf (layout %u, this one is %u); "
				 "run `dnetbpf unload --pin %s` first: enforcement pauses until this daemon has started",
				 dataplane->pin, pinned.abi_version, DNET_ABI_VERSION, dataplane->pin);
	if (pinned.netns_cookie != netns_cookie())
		return error_set(error, -EXDEV, "the pins in %s belong to another network namespace; start dnetbpf there, or give "
				 "this one a directory of its own with --pin", dataplane->pin);
	return 0;
}

static void *map_memory(const struct bpf_map *map)
{
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int map_all(struct dataplane *dataplane, struct error *error)
{
	const struct tc_bpf *skeleton = dataplane->skeleton;
	const struct { void **memory; const struct bpf_map *map; } mapped[] = {
		{ (void **)&dataplane->state, skeleton->maps.state },
		{ (void **)&dataplane->endpoints, skeleton->maps.endpoints },
		{ (void **)&dataplane->rulesets, skeleton->maps.rulesets },
		{ (void **)&dataplane->bounds, skeleton->maps.bounds },
		{ (void **)&dataplane->rows, skeleton->maps.rows },
		{ (void **)&dataplane->rules, skeleton->maps.rules },
		{ (void **)&dataplane->limits, skeleton->maps.limits },
		{ (void **)&dataplane->deny_counters, skeleton->maps.deny_counters },
		{ (void **)&dataplane->event_budgets, skeleton->maps.event_budgets },
	};
	const struct { int *fd; const struct bpf_map *map; } plain[] = {
		{ &dataplane->links_fd, skeleton->maps.links },
		{ &dataplane->addresses_fd, skeleton->maps.addresses },
		{ &dataplane->bridges_fd, skeleton->maps.bridges },
		{ &dataplane->places_fd, skeleton->maps.places },
		{ &dataplane->peer_rows_fd, skeleton->maps.peer_rows },
		{ &dataplane->prefix_rows_fd, skeleton->maps.prefix_rows },
		{ &dataplane->flows_fd, skeleton->maps.flows },
		{ &dataplane->pass_counters_fd, skeleton->maps.pass_counters },
		{ &dataplane->rule_hits_fd, skeleton->maps.rule_hits },
		{ &dataplane->events_fd, skeleton->maps.events },
		{ &dataplane->attached_fd, skeleton->maps.attached },
		{ &dataplane->rule_ids_fd, skeleton->maps.rule_ids },
		{ &dataplane->sets_fd, skeleton->maps.sets },
		{ &dataplane->buckets_fd, skeleton->maps.buckets },
		{ &dataplane->limit_exceeded_fd, skeleton->maps.limit_exceeded },
		{ &dataplane->limit_ids_fd, skeleton->maps.limit_ids },
		{ &dataplane->blocks_fd, skeleton->maps.blocks },
		{ &dataplane->proven_fd, skeleton->maps.proven },
	};

	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++) {
		*mapped[i].memory = map_memory(mapped[i].map);
		if (!*mapped[i].memory)
			return error_set(error, -errno, "cannot map the table %s into memory: %s", bpf_map__name(mapped[i].map),
					 strerror(errno));
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		*plain[i].fd = bpf_map__fd(plain[i].map);
	dataplane->program_fd[PROGRAM_EGRESS] = bpf_program__fd(skeleton->progs.dnet_egress);
	dataplane->program_fd[PROGRAM_INGRESS] = bpf_program__fd(skeleton->progs.dnet_ingress);
	dataplane->program_fd[PROGRAM_BRIDGE] = bpf_program__fd(skeleton->progs.dnet_bridge);
	dataplane->program_fd[PROGRAM_RECOUNT] = bpf_program__fd(skeleton->progs.dnet_recount);
	return 0;
}

static int load_error(const struct dataplane *dataplane, int r, const char *words, struct error *error)
{
	if (r == -EPERM)
		return error_set(error, r, "the kernel refused the BPF programs: permission denied; run as root, or with CAP_BPF and "
				 "CAP_NET_ADMIN");
	if (dataplane->adopted && strstr(words, "pin"))
		return error_set(error, -EPROTO, "the pins in %s do not fit this version of dnetbpf; run `dnetbpf unload --pin %s` first",
				 dataplane->pin, dataplane->pin);
	return error_set(error, r, "the kernel refused the BPF programs: %s (%s)", strerror(-r),
			 words[0] ? words : "no details");
}

int dataplane_open(const char *pin, struct dataplane **ret, struct error *error)
{
	struct dataplane *dataplane = calloc(1, sizeof(*dataplane));
	const char *words;
	int r;

	if (!dataplane)
		return error_set(error, -ENOMEM, "out of memory");
	dataplane->lock_fd = -1;
	dataplane->cpus = libbpf_num_possible_cpus();
	if (pin) {
		dataplane->pin = strdup(pin);
		r = dataplane->pin ? make_directory(pin, error) : -ENOMEM;
		if (r == 0)
			r = dataplane_lock(pin, &dataplane->lock_fd, error);
		if (r == 0)
			r = check_pinned_state(dataplane, error);
		if (r < 0)
			goto fail;
	}
	words_begin();
	dataplane->skeleton = tc_bpf__open();
	r = dataplane->skeleton ? 0 : -errno;
	if (r == 0 && pin)
		r = set_pin_paths(dataplane, error);
	if (r == 0)
		r = tc_bpf__load(dataplane->skeleton);
	words = words_end();
	if (r < 0) {
		load_error(dataplane, r, words, error);
		goto fail;
	}
	r = map_all(dataplane, error);
	if (r < 0)
		goto fail;
	if (dataplane->state->abi_version != DNET_ABI_VERSION) {
		ssize_t size = sizeof(dataplane->state->bucket_seed);

		dataplane->adopted = false;
		if (getrandom(dataplane->state->bucket_seed, (size_t)size, 0) != size) {
			r = error_set(error, -EIO, "the kernel gives no random numbers: %s", strerror(errno));
			goto fail;
		}
		dataplane->state->netns_cookie = netns_cookie();
		dataplane->state->next_endpoint_id = 1;
		dataplane->state->generation = 1;
		dataplane->state->next_set_class = 1;
		dataplane->state->next_limit_id = 1;
		__atomic_store_n(&dataplane->state->abi_version, DNET_ABI_VERSION, __ATOMIC_RELEASE);
	}
	*ret = dataplane;
	return 0;
fail:
	dataplane_close(dataplane);
	return r;
}

static void unmap(void *memory, const struct bpf_map *map)
{
	if (memory)
		munmap(memory, (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map));
}

void dataplane_close(struct dataplane *dataplane)
{
	if (!dataplane)
		return;
	if (dataplane->skeleton) {
		const struct tc_bpf *skeleton = dataplane->skeleton;

		unmap(dataplane->state, skeleton->maps.state);
		unmap(dataplane->endpoints, skeleton->maps.endpoints);
		unmap(dataplane->rulesets, skeleton->maps.rulesets);
		unmap(dataplane->bounds, skeleton->maps.bounds);
		unmap(dataplane->rows, skeleton->maps.rows);
		unmap(dataplane->rules, skeleton->maps.rules);
		unmap(dataplane->limits, skeleton->maps.limits);
		unmap(dataplane->deny_counters, skeleton->maps.deny_counters);
		unmap(dataplane->event_budgets, skeleton->maps.event_budgets);
		explain_unload(dataplane);
		tc_bpf__destroy(dataplane->skeleton);
	}
	if (dataplane->lock_fd >= 0)
		close(dataplane->lock_fd);
	free(dataplane->pin);
	free(dataplane);
}

void dataplane_pass_counter(const struct dataplane *dataplane, uint32_t slot, uint32_t direction, uint32_t reason,
			    struct dnet_counter *ret)
{
	uint32_t index = dnet_pass_index(slot, direction, reason);
	struct dnet_counter values[dataplane->cpus];

	ret->packets = ret->bytes = 0;
	if (bpf_map_lookup_elem(dataplane->pass_counters_fd, &index, values) < 0)
		return;
	for (int i = 0; i < dataplane->cpus; i++) {
		ret->packets += values[i].packets;
		ret->bytes += values[i].bytes;
	}
}

void dataplane_deny_counter(const struct dataplane *dataplane, uint32_t slot, uint32_t direction, uint32_t verdict,
			    uint32_t reason, struct dnet_counter *ret)
{
	*ret = dataplane->deny_counters[dnet_deny_index(slot, direction, verdict, reason)];
}

uint64_t dataplane_rule_hits(const struct dataplane *dataplane, uint32_t counter)
{
	uint64_t values[dataplane->cpus], sum = 0;

	if (bpf_map_lookup_elem(dataplane->rule_hits_fd, &counter, values) < 0)
		return 0;
	for (int i = 0; i < dataplane->cpus; i++)
		sum += values[i];
	return sum;
}

void dataplane_clear_slot(struct dataplane *dataplane, uint32_t slot)
{
	struct dnet_counter zeros[dataplane->cpus];

	memset(zeros, 0, sizeof(zeros));
	for (uint32_t i = 0; i < DNET_DIRECTIONS * DNET_PASS_SPAN; i++) {
		uint32_t index = dnet_pass_index(slot, 0, 0) + i;

		bpf_map_update_elem(dataplane->pass_counters_fd, &index, zeros, BPF_ANY);
	}
	memset(&dataplane->deny_counters[dnet_deny_index(slot, 0, DNET_DENY, DNET_PASS_SPAN)], 0,
	       sizeof(struct dnet_counter) * DNET_DIRECTIONS * 2 * DNET_DENY_SPAN);
	memset(&dataplane->event_budgets[slot], 0, sizeof(struct dnet_event_budget));
}

struct event_target {
	void (*event)(void *context, const struct dnet_event *event);
	void *context;
};

static int on_record(void *context, void *data, size_t size)
{
	const struct event_target *target = context;

	if (size >= sizeof(struct dnet_event))
		target->event(target->context, data);
	return 0;
}

int dataplane_events_open(struct dataplane *dataplane, void (*event)(void *context, const struct dnet_event *event),
			  void *context, struct ring_buffer **ret, int *ret_epoll_fd, struct error *error)
{
	static struct event_target target;	/* one daemon, one reader */
	struct ring_buffer *ring;

	target.event = event;
	target.context = context;
	ring = ring_buffer__new(dataplane->events_fd, on_record, &target, NULL);
	if (!ring)
		return error_set(error, -errno, "cannot read the kernel's ring of events: %s", strerror(errno));
	*ret_epoll_fd = ring_buffer__epoll_fd(ring);
	*ret = ring;
	return 0;
}

void dataplane_events_read(struct ring_buffer *ring)
{
	ring_buffer__consume(ring);
}

void dataplane_events_close(struct ring_buffer *ring)
{
	ring_buffer__free(ring);
}

int map_set(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? -errno : 0;
}

int map_get(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value) < 0 ? -errno : 0;
}

int map_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) < 0 && errno != ENOENT ? -errno : 0;
}

int map_for_each_key(int fd, size_t key_size, void (*entry)(void *context, const void *key), void *context)
{
	uint8_t key[64], next[64];
	bool more;

	if (key_size > sizeof(key))
		return -EINVAL;
	more = bpf_map_get_next_key(fd, NULL, next) == 0;
	while (more) {
		memcpy(key, next, key_size);
		/* Before the callback: it may delete the key, and the walk would begin anew. */
		more = bpf_map_get_next_key(fd, key, next) == 0;
		entry(context, key);
	}
	return 0;
}
