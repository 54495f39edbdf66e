/* SPDX-License-Identifier: GPL-2.0 */
/* The life of connections, as far as it is user space's: timeouts and the sweep. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/clock.h"
#include "dataplane/counts.h"
#include "dataplane/dataplane.h"

/* Under pressure, that is when the table is this full, connections that are not established go after a short silence: a flood of
 * SYNs must not keep out those who mean it. */
#define PRESSURE_ENTRIES (DNET_MAX_FLOWS / 5 * 4)
#define PRESSURE_IDLE_NS (5 * 1000000000ull)

void dataplane_set_timeouts(struct dataplane *dataplane, const uint32_t timeout_sec[DNET_TIMEOUT_COUNT])
{
	for (int i = 0; i < DNET_TIMEOUT_COUNT; i++)
		__atomic_store_n(&dataplane->state->timeout_sec[i], timeout_sec[i], __ATOMIC_RELAXED);
}

uint64_t dataplane_flow_timeout_ns(const struct dataplane *dataplane, const struct dnet_flow_key *key, const struct dnet_flow *flow)
{
	static const uint32_t standard[DNET_TIMEOUT_COUNT] = {
#define X(NAME, key, seconds) [DNET_TIMEOUT_##NAME] = seconds,
		DNET_TIMEOUTS(X)
#undef X
	};
	uint32_t which = dnet_flow_timeout(key->proto, flow->state, flow->fin_seen);
	uint32_t seconds = dataplane->state->timeout_sec[which];

	return (seconds ? seconds : standard[which]) * 1000000000ull;
}

struct sweep {
	struct dataplane *dataplane;
	bool (*alive)(void *context, uint32_t endpoint_id);
	void *context;
	uint64_t now_ns;
	bool pressure;
	size_t standing;
};

static bool is_dead(const struct sweep *sweep, const struct dnet_flow_key *key, const struct dnet_flow *flow)
{
	/* Signed: another CPU's packet may have been accounted after our look at the clock. */
	int64_t idle_ns = (int64_t)(sweep->now_ns - flow->last_seen_ns);

	if (idle_ns > (int64_t)dataplane_flow_timeout_ns(sweep->dataplane, key, flow))
		return true;
	if (sweep->pressure && flow->state != DNET_FLOW_ESTABLISHED && idle_ns > (int64_t)PRESSURE_IDLE_NS)
		return true;
	for (int end = 0; end < 2; end++)
		if (flow->end[end].endpoint_id && !sweep->alive(sweep->context, flow->end[end].endpoint_id))
			return true;
	return false;
}

static void sweep_flow(void *context, const struct dnet_flow_key *key, const struct dnet_flow *seen)
{
	struct sweep *sweep = context;
	const int fd = sweep->dataplane->flows_fd;
	struct dnet_flow flow;

	/* Looked at once more, because a packet may have revived it since the batch was read. */
	if (!is_dead(sweep, key, seen) || map_get(fd, key, &flow) < 0 || !is_dead(sweep, key, &flow))
		sweep->standing++;
	else if (bpf_map_lookup_and_delete_elem(fd, key, &flow) == 0)
		counts_give_back(sweep->dataplane, &flow);
}

static void sweep_once(struct sweep *sweep)
{
	sweep->standing = 0;
	flows_walk(sweep->dataplane, sweep_flow, sweep);
}

/* What an endpoint was refused goes with it. */
static void sweep_exceeded(void *context, const void *entry)
{
	const struct sweep *sweep = context;
	struct dnet_exceeded_key key;

	memcpy(&key, entry, sizeof(key));
	if (!sweep->alive(sweep->context, key.endpoint_id))
		map_delete(sweep->dataplane->limit_exceeded_fd, &key);
}

size_t dataplane_sweep_flows(struct dataplane *dataplane, bool (*alive)(void *context, uint32_t endpoint_id), void *context)
{
	struct sweep sweep = { .dataplane = dataplane, .alive = alive, .context = context };

	sweep.now_ns = clock_ns(CLOCK_MONOTONIC_COARSE);	/* the kernel side's clock */
	sweep_once(&sweep);
	if (sweep.standing > PRESSURE_ENTRIES) {
		sweep.pressure = true;
		sweep_once(&sweep);
	}
	counts_heal(dataplane);
	map_for_each_key(dataplane->limit_exceeded_fd, sizeof(struct dnet_exceeded_key), sweep_exceeded, &sweep);
	return sweep.standing;
}
