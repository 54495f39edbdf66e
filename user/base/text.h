/* SPDX-License-Identifier: GPL-2.0 */
/* Small helpers for text: addresses, prefixes, globs, time. Pure. */
#ifndef DNETBPF_BASE_TEXT_H
#define DNETBPF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>

#define TEXT_TIME_SIZE 40
#define TEXT_DURATION_SIZE 40
#define TEXT_ADDR_SIZE 48	/* "ffff:...:ffff" */
#define TEXT_PREFIX_SIZE 52

/* RFC 3339 with nanoseconds, UTC. @unix_ns: since 1970. Return @buffer (TEXT_TIME_SIZE bytes). */
const char *text_time(uint64_t unix_ns, char *buffer);
const char *text_time_now(char *buffer);
/* The two largest units of a time, for a person: "9 min 30 s", "2 d 4 h". @buffer: TEXT_DURATION_SIZE. Returns @buffer. */
const char *text_duration(uint64_t seconds, char *buffer);

/* Print an address (IPv4 in dotted form). @buffer: TEXT_ADDR_SIZE. Returns @buffer. */
const char *text_addr(const struct dnet_addr *addr, char *buffer);
/* Print "ADDRESS/LEN"; a full-length prefix without the length. @prefix_len is 0 to 128 (IPv4: 96 + n). TEXT_PREFIX_SIZE. */
const char *text_prefix(const struct dnet_addr *addr, unsigned int prefix_len, char *buffer);

/* Parse an address, IPv4 or IPv6. 0 or -EINVAL; *ret only on success. */
int text_parse_addr(const char *text, struct dnet_addr *ret);
/* Parse "ADDRESS" or "ADDRESS/LEN". *ret_host_bits says that bits beyond the prefix are set. 0, -EINVAL (not an address),
 * -ERANGE (length). An IPv4 /n yields 96 + n. */
int text_parse_prefix(const char *text, struct dnet_addr *ret, unsigned int *ret_prefix_len, bool *ret_host_bits);

bool addr_is_v4(const struct dnet_addr *addr);
bool addr_equal(const struct dnet_addr *a, const struct dnet_addr *b);
bool addr_in_prefix(const struct dnet_addr *addr, const struct dnet_addr *prefix, unsigned int prefix_len);
/* Clear the bits beyond the prefix. */
void addr_mask(struct dnet_addr *addr, unsigned int prefix_len);

/* Parse "aa:bb:cc:dd:ee:ff". 0 or -EINVAL. */
int text_parse_mac(const char *text, uint8_t ret[6]);

/* Shell-like glob, whole string: only '*' and '?' are special. */
bool text_glob_match(const char *pattern, const char *text);

/* FNV-1a, 64 bits, of a string; chain by passing the last result as @seed, start with TEXT_HASH_SEED. */
#define TEXT_HASH_SEED 0xcbf29ce484222325ull
uint64_t text_hash(uint64_t seed, const char *text);

#endif
