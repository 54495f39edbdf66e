/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which country an address is in, from a local file. Two formats, told apart by content:
 *   range files	as Debian's tor-geoipdb has them: lines "FIRST,LAST,CC", addresses of IPv4 as decimal numbers; those of IPv6 are
 *			in a second file beside the first, with a 6 behind its name (geoip, geoip6)
 *   .mmdb		MaxMind's format through libmaxminddb: country.iso_code of a record, or else its flat country_code
 * Both become one range table for each family (dnetbpf/set.h) whose class is dnet_country().
 *
 * Unknown, which is number 0, is what the file does not have or has as "??". That goes for private, special and multicast
 * addresses, too: nothing is known about them here that the file does not say. IPv6 addresses with an IPv4 address in them (6to4,
 * Teredo) are what the range file says; an .mmdb only links its IPv4 part there, and they are unknown.
 */
#ifndef DNETBPF_GEO_GEO_H
#define DNETBPF_GEO_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dnetbpf/address.h>
#include <dnetbpf/set.h>

#include "base/error.h"

#define GEO_DEFAULT_DATABASE "/usr/share/tor/geoip"

struct geo;

/* Strings are borrowed from the struct geo. */
struct geo_info {
	const char *path;			/* as it was asked for */
	const char *files[DNET_SET_FAMILIES];	/* what was read; of an .mmdb the same twice */
	const char *type;			/* "range files", or the type that an .mmdb says it has, such as "GeoLite2-Country" */
	uint64_t built_unix;			/* when the data were made by their own words, or else the files; the older one */
	size_t ranges[DNET_SET_FAMILIES];	/* of the tables */
	size_t countries;			/* how many different ones */
};

/*
 * Read a database: @path names the file of IPv4 ranges, a folder with geoip and geoip6, or an .mmdb. Either both families are
 * there, in order and without contradiction, or nothing comes of it: a negative errno, and a sentence that begins with
 * "FILE:LINE:COLUMN: " (range files) or "FILE: ". -EAGAIN: it is being written at this moment. @former (or NULL) is what was read
 * before: a database of the same path that shrank to less than half of it is refused, for it looks truncated.
 */
int geo_load(const char *path, const struct geo *former, struct geo **ret, struct error *error);
void geo_free(struct geo *geo);
void geo_freep(struct geo **geo);

const struct geo_info *geo_info(const struct geo *geo);
/* The words of a family's inner map (dnetbpf/set.h), owned by @geo. Returns how many. */
size_t geo_words(const struct geo *geo, enum dnet_set_family family, const uint64_t **ret);
/* The dnet_country() of an address, 0 when it is unknown: the same search as the kernel's. */
uint32_t geo_find(const struct geo *geo, const struct dnet_addr *addr);
/* Are both the same tables? Then nothing need be written. */
bool geo_equal(const struct geo *a, const struct geo *b);

/* "DE", or "??" for 0. Returns @buffer, 3 bytes. */
const char *country_text(uint32_t country, char *buffer);

#endif
