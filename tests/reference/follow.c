/* SPDX-License-Identifier: GPL-2.0 */
#include "follow.h"

#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>

#include "base/text.h"

static const uint8_t bridge_mac[6] = { 0x02, 0, 0, 0, 0xff, 0x01 };

/* One more packet of a flow that this policy lets pass. */
static bool run_again(struct bed *bed, size_t endpoint, enum dnet_direction direction, uint32_t origin, bool routed, const struct frame *frame,
		      const char *what, char *problem, size_t size)
{
	struct world *world = &bed->world;
	uint32_t slot = world->live.items[endpoint]->slot;
	struct dnet_counter before, after;
	int answer = 0, r;

	dataplane_raise_generation(world->dataplane);
	dataplane_pass_counter(world->dataplane, slot, direction, DNET_REASON_ESTABLISHED, &before);
	world->events = 0;
	r = world_run(world, direction == DNET_INGRESS ? PROGRAM_INGRESS : PROGRAM_EGRESS, bed_ifindex(bed, endpoint), origin, routed, frame, &answer);
	world_read_events(world);
	dataplane_pass_counter(world->dataplane, slot, direction, DNET_REASON_ESTABLISHED, &after);
	if (r == 0 && answer == TC_ACT_UNSPEC && !world->events && after.packets == before.packets + 1)
		return true;
	snprintf(problem, size, "%s: returned %d, %zu events (reason %u), established +%llu", what, r < 0 ? r : answer, world->events,
		 world->last_event.reason, (unsigned long long)(after.packets - before.packets));
	return false;
}

/* The packet that answers it. False: this kind has none. */
static bool answer_of(const struct reference_packet *packet, struct reference_packet *ret)
{
	bool echo = (packet->proto == IPPROTO_ICMP && packet->type == 8) || (packet->proto == IPPROTO_ICMPV6 && packet->type == 128);

	if (reference_is_group(&packet->dst) || (!echo && (packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6)))
		return false;
	*ret = *packet;
	ret->src = packet->dst;
	ret->dst = packet->src;
	ret->src_port = packet->dst_port;
	ret->dst_port = packet->src_port;
	ret->direction = packet->direction == DNET_INGRESS ? DNET_EGRESS : DNET_INGRESS;
	if (echo)
		ret->type = packet->proto == IPPROTO_ICMP ? 0 : 129;
	return true;
}

/* Where an answer comes from. False: it cannot be told. */
static bool answer_origin(const struct bed *bed, const struct reference_packet *packet, const struct reference_answer *expected,
			  uint32_t *ret_origin, bool *ret_routed)
{
	const struct reference_endpoint *peer = expected->peer_endpoint;

	*ret_routed = true;
	*ret_origin = 0;
	if (packet->direction == DNET_INGRESS || expected->peer_class == DNET_PEER_HOST)
		return true;
	if (peer && peer->network == bed->reference[packet->endpoint].network) {
		*ret_routed = false;
		*ret_origin = bed_ifindex(bed, (size_t)(peer - bed->reference));
	} else if (peer) {
		*ret_origin = if_nametoindex(peer->network->bridge);
	} else if (expected->peer_class != DNET_PEER_OTHER) {
		*ret_origin = if_nametoindex(GENERATE_UPLINK);
	}
	return *ret_origin != 0;
}

bool follow_flow(struct bed *bed, const struct reference_packet *packet, const struct reference_answer *expected, const struct frame *frame,
		 char *problem, size_t size)
{
	const uint8_t *mac = bed->world.live.items[packet->endpoint]->mac;
	bool routed = packet->direction == DNET_EGRESS || (packet->origin != ORIGIN_PORT && packet->origin != ORIGIN_STRANGER);
	struct reference_packet answer;
	char text[PACKET_TEXT_SIZE];
	struct frame reply;
	uint32_t origin;

	if (!run_again(bed, packet->endpoint, packet->direction, bed_origin(bed, packet), routed, frame, "judged again", problem, size))
		return false;
	if (!answer_of(packet, &answer) || !answer_origin(bed, packet, expected, &origin, &routed))
		return true;
	packet_text(&answer, text);
	/* "tcp S" becomes "tcp SA". */
	if (answer.proto == IPPROTO_TCP)
		strcat(text, "A");
	if (!frame_build(text, answer.direction == DNET_INGRESS ? bridge_mac : mac, answer.direction == DNET_INGRESS ? mac : bridge_mac, &reply,
			 problem))
		return false;
	return run_again(bed, packet->endpoint, answer.direction, origin, routed, &reply, "its answer, judged again", problem, size);
}
