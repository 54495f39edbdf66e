/* SPDX-License-Identifier: GPL-2.0 */
/* A world of tests/packet whose inventory and policy are given as text, as often as one likes, and what stands in it. */
#ifndef TESTS_REFERENCE_BED_H
#define TESTS_REFERENCE_BED_H

#include "compile/compile.h"
#include "evaluate.h"
#include "generate.h"
#include "packet/packet.h"

/* A rule that the compiler asked a counter for: the counter is the index. */
struct bed_rule {
	const struct rule *rule;
	const char *policy;
};

struct bed {
	struct world world;
	struct netlink_address host[2 * GENERATE_NETWORKS + 4];
	struct dnet_addr host_addresses[2 * GENERATE_NETWORKS + 4];
	size_t host_count;
	struct compile_interface interfaces[3 + GENERATE_NETWORKS];
	size_t interface_count;

	/* Of the text that was loaded last. */
	struct policy_set policies;
	struct set_classes *sets;
	struct compiler *compiler;
	struct label_policy labels[GENERATE_ENDPOINTS];
	struct dnet_addr resolvers[GENERATE_ENDPOINTS][3];
	const char *network_names[GENERATE_ENDPOINTS][GENERATE_NETWORKS + 1];
	struct compile_endpoint endpoints[GENERATE_ENDPOINTS];
	struct compile_verdict verdicts[GENERATE_ENDPOINTS];
	struct reference_endpoint reference[GENERATE_ENDPOINTS];
	struct reference_world reference_world;
	struct bed_rule *rules;		/* DNET_MAX_RULE_COUNTERS of them; owned */
	uint32_t rule_count;
	uint32_t next_set_class;
	uint32_t limit_count;	/* ids given out */
	uint64_t loads;
};

bool bed_open(struct bed *bed, struct error *error);
void bed_close(struct bed *bed);
/* Put an inventory and a policy in force. @random: for what neither text says (resolvers). */
bool bed_load(struct bed *bed, const char *inventory, const char *policy, struct random *random, struct error *error);
/* The counter of a rule, by which rules are compared; DNET_NO_RULE: it has none. @policy: the name of its policy, or NULL. */
uint32_t bed_counter(const struct bed *bed, const char *policy, const struct rule *rule);
/* Where a packet is judged and where it came from. */
uint32_t bed_ifindex(const struct bed *bed, size_t endpoint);
uint32_t bed_origin(const struct bed *bed, const struct reference_packet *packet);
const char *bed_origin_name(const struct bed *bed, const struct reference_packet *packet);

#endif
