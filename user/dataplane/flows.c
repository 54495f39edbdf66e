/* SPDX-License-Identifier: GPL-2.0 */
/* The life of connections, as far as it is user space's: timeouts and the sweep. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dataplane/clock.h"
#include "dataplane/dataplane.h"

#define SWEEP_BATCH 2048
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
	struct dnet_flow_key *keys;
	struct dnet_flow *flows;
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

static size_t sweep_once(const struct sweep *sweep)
{
	const int fd = sweep->dataplane->flows_fd;
	uint32_t token = 0, count;
	bool first = true;
	size_t standing = 0;
	int r;

	do {
		count = SWEEP_BATCH;
		r = bpf_map_lookup_batch(fd, first ? NULL : &token, &token, sweep->keys, sweep->flows, &count, NULL);
		if (r < 0 && errno != ENOENT)
			break;
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			struct dnet_flow flow;

			/* Looked at once more, because a packet may have revived it since the batch was read. */
			if (is_dead(sweep, &sweep->keys[i], &sweep->flows[i]) && map_get(fd, &sweep->keys[i], &flow) == 0 &&
			    is_dead(sweep, &sweep->keys[i], &flow))
				map_delete(fd, &sweep->keys[i]);
			else
				standing++;
		}
	} while (r == 0);
	return standing;
}

size_t dataplane_sweep_flows(struct dataplane *dataplane, bool (*alive)(void *context, uint32_t endpoint_id), void *context)
{
	_cleanup_free_ struct dnet_flow_key *keys = calloc(SWEEP_BATCH, sizeof(*keys));
	_cleanup_free_ struct dnet_flow *flows = calloc(SWEEP_BATCH, sizeof(*flows));
	struct sweep sweep = { .dataplane = dataplane, .alive = alive, .context = context, .keys = keys, .flows = flows };
	size_t standing;

	if (!keys || !flows)
		return 0;
	sweep.now_ns = clock_ns(CLOCK_MONOTONIC_COARSE);	/* the kernel side's clock */
	standing = sweep_once(&sweep);
	if (standing > PRESSURE_ENTRIES) {
		sweep.pressure = true;
		standing = sweep_once(&sweep);
	}
	return standing;
}
