/* SPDX-License-Identifier: GPL-2.0 */
/* Packets as people write them, and files of cases. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "explain/cases.h"
#include "explain/packet.h"

static void require(int condition)
{
	if (!condition)
		abort();
}

static void packet(const char *text)
{
	struct packet_text packet;
	struct error error = {};
	size_t length = strlen(text);

	if (packet_text_parse(text, &packet, &error) < 0) {
		require(error.column >= 1 && error.column <= length + 1 && error.text[error.sentence]);
		return;
	}
	require(packet_has_ports(packet.proto) == (packet.src.port && packet.dst.port));
	require(packet.src.column >= 1 && packet.src.column + packet.src.length <= packet.dst.column);
	require(packet.dst.column + packet.dst.length <= length + 1);
}

static void cases(const char *text, size_t length)
{
	struct policy_cases cases;
	struct error error = {};

	if (policy_cases_parse("f", text, length, &cases, &error) < 0) {
		require(strncmp(error.text, "f:", 2) == 0);
		return;
	}
	for (size_t i = 0; i < cases.count; i++) {
		require(cases.cases[i].packet && cases.cases[i].line && cases.cases[i].column);
		packet(cases.cases[i].packet);
	}
	policy_cases_clear(&cases);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	require(text != NULL);
	if (data[0] == 'p')
		packet(text);
	else
		cases(text, strlen(text));
	free(text);
	return 0;
}
