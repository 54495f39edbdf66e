/* SPDX-License-Identifier: GPL-2.0 */
#include "explain/frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/text.h"

#define HOPS 64
#define SCTP_HEADER_BYTES 12	/* RFC 9260, 3.1; no chunk follows */

static uint32_t add_bytes(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

/* RFC 1071 */
static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static uint16_t transport_checksum(const struct explain_packet *packet, const uint8_t *transport, size_t length)
{
	size_t skip = addr_is_v4(&packet->dst.addr) ? 12 : 0;
	uint32_t sum = (uint32_t)length + packet->proto;

	sum = add_bytes(sum, packet->src.addr.byte + skip, 16 - skip);
	sum = add_bytes(sum, packet->dst.addr.byte + skip, 16 - skip);
	return fold(add_bytes(sum, transport, length));
}

static size_t write_transport(const struct explain_packet *packet, uint8_t *at)
{
	switch (packet->proto) {
	case IPPROTO_TCP: {
		struct tcphdr tcp = { .source = htons(packet->src.port), .dest = htons(packet->dst.port), .doff = 5, .syn = 1,
				      .window = htons(65535) };

		memcpy(at, &tcp, sizeof(tcp));
		tcp.check = transport_checksum(packet, at, sizeof(tcp));
		memcpy(at, &tcp, sizeof(tcp));
		return sizeof(tcp);
	}
	case IPPROTO_UDP: {
		struct udphdr udp = { .source = htons(packet->src.port), .dest = htons(packet->dst.port), .len = htons(sizeof(udp)) };

		memcpy(at, &udp, sizeof(udp));
		udp.check = transport_checksum(packet, at, sizeof(udp));
		memcpy(at, &udp, sizeof(udp));
		return sizeof(udp);
	}
	case IPPROTO_SCTP: {
		uint16_t ports[2] = { htons(packet->src.port), htons(packet->dst.port) };

		memset(at, 0, SCTP_HEADER_BYTES);
		memcpy(at, ports, sizeof(ports));
		return SCTP_HEADER_BYTES;
	}
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: {
		/* Type, code and checksum stand in the same place in both. */
		struct icmphdr icmp = { .type = packet->icmp_type, .code = packet->icmp_code };

		icmp.un.echo.id = htons(PACKET_DEFAULT_PORT);
		memcpy(at, &icmp, sizeof(icmp));
		icmp.checksum = packet->proto == IPPROTO_ICMP ? fold(add_bytes(0, at, sizeof(icmp))) :
								transport_checksum(packet, at, sizeof(icmp));
		memcpy(at, &icmp, sizeof(icmp));
		return sizeof(icmp);
	}
	}
	memset(at, 0, 8);
	return 8;
}

/* RFC 1112, 6.4; RFC 2464, 7. */
static bool group_mac(const struct dnet_addr *addr, uint8_t mac[6])
{
	if (!explain_is_group(addr))
		return false;
	if (!addr_is_v4(addr)) {
		memcpy(mac, (const uint8_t[]){ 0x33, 0x33 }, 2);
		memcpy(mac + 2, addr->byte + 12, 4);
	} else if (addr->byte[12] == 255) {
		memset(mac, 0xff, 6);
	} else {
		memcpy(mac, (const uint8_t[]){ 0x01, 0x00, 0x5e }, 3);
		memcpy(mac + 3, addr->byte + 13, 3);
		mac[3] &= 0x7f;
	}
	return true;
}

size_t explain_frame(const struct explain_packet *packet, const uint8_t src_mac[6], const uint8_t dst_mac[6],
		     uint8_t ret[EXPLAIN_FRAME_SIZE])
{
	bool v4 = addr_is_v4(&packet->dst.addr);
	size_t header = v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr), length;
	struct ethhdr ethernet = { .h_proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6) };

	memset(ret, 0, EXPLAIN_FRAME_SIZE);
	memcpy(ethernet.h_source, src_mac, 6);
	if (!group_mac(&packet->dst.addr, ethernet.h_dest))
		memcpy(ethernet.h_dest, dst_mac, 6);
	memcpy(ret, &ethernet, sizeof(ethernet));
	length = write_transport(packet, ret + sizeof(ethernet) + header);
	if (v4) {
		struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons((uint16_t)(header + length)), .ttl = HOPS,
				    .protocol = packet->proto };

		memcpy(&ip.saddr, packet->src.addr.byte + 12, 4);
		memcpy(&ip.daddr, packet->dst.addr.byte + 12, 4);
		ip.check = fold(add_bytes(0, &ip, sizeof(ip)));
		memcpy(ret + sizeof(ethernet), &ip, sizeof(ip));
	} else {
		struct ip6_hdr ip = { .ip6_flow = htonl(6u << 28), .ip6_plen = htons((uint16_t)length),
				      .ip6_nxt = packet->proto, .ip6_hlim = HOPS };

		memcpy(&ip.ip6_src, packet->src.addr.byte, 16);
		memcpy(&ip.ip6_dst, packet->dst.addr.byte, 16);
		memcpy(ret + sizeof(ethernet), &ip, sizeof(ip));
	}
	return sizeof(ethernet) + header + length;
}
