/* SPDX-License-Identifier: GPL-2.0 */
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

const char *text_time(uint64_t unix_ns, char *buffer)
{
	time_t sec = unix_ns / 1000000000ull;
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(buffer, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buffer + n, TEXT_TIME_SIZE - n, ".%09uZ", (unsigned int)(unix_ns % 1000000000ull));
	return buffer;
}

const char *text_time_now(char *buffer)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return text_time((uint64_t)now.tv_sec * 1000000000ull + now.tv_nsec, buffer);
}

bool addr_is_v4(const struct dnet_addr *addr)
{
	return memcmp(addr->byte, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool addr_equal(const struct dnet_addr *a, const struct dnet_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void addr_mask(struct dnet_addr *addr, unsigned int prefix_len)
{
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int bits = prefix_len > i * 8 ? prefix_len - i * 8 : 0;

		addr->byte[i] &= bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
	}
}

bool addr_in_prefix(const struct dnet_addr *addr, const struct dnet_addr *prefix, unsigned int prefix_len)
{
	struct dnet_addr a = *addr, p = *prefix;

	addr_mask(&a, prefix_len);
	addr_mask(&p, prefix_len);
	return addr_equal(&a, &p);
}

const char *text_duration(uint64_t seconds, char *buffer)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;
	int length;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	length = snprintf(buffer, TEXT_DURATION_SIZE, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].name);
	if (i < 3 && seconds % units[i].seconds / units[i + 1].seconds)
		snprintf(buffer + length, TEXT_DURATION_SIZE - (size_t)length, " %" PRIu64 " %s",
			 seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
	return buffer;
}

const char *text_addr(const struct dnet_addr *addr, char *buffer)
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr->byte + 12, buffer, TEXT_ADDR_SIZE);
	else
		inet_ntop(AF_INET6, addr->byte, buffer, TEXT_ADDR_SIZE);
	return buffer;
}

const char *text_prefix(const struct dnet_addr *addr, unsigned int prefix_len, char *buffer)
{
	bool v4 = addr_is_v4(addr) && prefix_len >= DNET_V4_PREFIX_OFFSET;

	text_addr(addr, buffer);
	if (prefix_len < 128)
		snprintf(buffer + strlen(buffer), TEXT_PREFIX_SIZE - strlen(buffer), "/%u",
			 v4 ? prefix_len - DNET_V4_PREFIX_OFFSET : prefix_len);
	return buffer;
}

int text_parse_addr(const char *text, struct dnet_addr *ret)
{
	struct dnet_addr addr;

	memcpy(addr.byte, v4_mapped, sizeof(v4_mapped));
	if (inet_pton(AF_INET, text, addr.byte + 12) != 1 && inet_pton(AF_INET6, text, addr.byte) != 1)
		return -EINVAL;
	*ret = addr;
	return 0;
}

int text_parse_prefix(const char *text, struct dnet_addr *ret, unsigned int *ret_prefix_len, bool *ret_host_bits)
{
	const char *slash = strchr(text, '/');
	unsigned int max, len = 0;
	struct dnet_addr addr, masked;
	char head[64];
	size_t n = slash ? (size_t)(slash - text) : strlen(text);

	if (n >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, n);
	head[n] = '\0';
	if (text_parse_addr(head, &addr) < 0)
		return -EINVAL;
	max = strchr(head, ':') ? 128 : 32;
	if (slash) {
		const char *c = slash + 1;

		if (!*c || strlen(c) > 3)
			return -ERANGE;
		for (; *c; c++) {
			if (*c < '0' || *c > '9')
				return -ERANGE;
			len = len * 10 + (unsigned int)(*c - '0');
		}
		if (len > max)
			return -ERANGE;
	} else {
		len = max;
	}
	if (max == 32)
		len += DNET_V4_PREFIX_OFFSET;
	masked = addr;
	addr_mask(&masked, len);
	*ret_host_bits = !addr_equal(&masked, &addr);
	*ret = masked;
	*ret_prefix_len = len;
	return 0;
}

int text_parse_mac(const char *text, uint8_t ret[6])
{
	unsigned int byte[6];
	int used = 0;

	/* sscanf() would take blanks, signs and "0x" as well. */
	if (text[strspn(text, "0123456789abcdefABCDEF:")])
		return -EINVAL;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5], &used) != 6 ||
	    text[used])
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)byte[i];
	return 0;
}

/* Linear in practice and quadratic at worst: on a mismatch only the last star can move. */
bool text_glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *mark = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			mark = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

uint64_t text_hash(uint64_t seed, const char *text)
{
	for (; *text; text++)
		seed = (seed ^ (uint8_t)*text) * 0x100000001b3ull;
	return seed;
}
