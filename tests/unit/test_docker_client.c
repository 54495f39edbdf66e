/* SPDX-License-Identifier: GPL-2.0 */
/* The Docker client: connecting, reading, events, and answers that are late or wrong. */
#include "unit/docker_server.h"

/* ---- the cases ---- */

static void test_urls(void **state)
{
	static const char *const bad[] = { "", "unix:", "unix://", "unix://relative", "tcp://192.0.2.1:2375", "/var/run/docker.sock",
		"unix:///aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error error = {};

		assert_int_equal(docker_new(f.base, bad[i], &(struct docker_callbacks) { on_changed, on_connected }, NULL, &f.docker,
					    &error), -EINVAL);
		assert_non_null(strstr(error.text, "socket"));
	}
	assert_null(f.docker);
}

/* No socket: said once. Then it appears, and there is no waiting for a long back-off. */
static void test_late_server(void **state)
{
	time_t start;

	(void)state;
	start_client();
	until(f.down == 1 && failures() >= 6);	/* 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s: the next is 3.2 s away */
	assert_int_equal(f.down, 1);
	assert_non_null(strstr(f.problem, f.path));
	assert_non_null(strstr(f.problem, strerror(ENOENT)));
	start = time(NULL);
	start_server();
	until_inventory("web+ [dmz] a@1 ");
	assert_true(time(NULL) - start <= 2);
	assert_int_equal(f.up, 1);
	assert_int_equal(f.down, 1);
}

/* The policy of a container must be known before its link exists: from the event alone. (With labels: test_docker_admit.c.) */
static void test_create(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].hold = true;
	f.route[BATCH].body = "[" CONTAINER(ID_B, "api", "running") "]";
	send_event(EVENT("container", "create", ID_B, "\"name\":\"api\",\"image\":\"bb\""));
	until_inventory("web+ api- [dmz] a@1 ");
	until(f.route[BATCH].held_count == 1);
	release(BATCH);
	until_inventory("web+ api+ [dmz] a@1 ");
}

static void test_rename(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].hold = true;
	send_event(EVENT("container", "rename", ID_A, "\"name\":\"web2\",\"oldName\":\"/web\",\"image\":\"bb\""));
	until_inventory("web2+ [dmz] a@1 ");
}

/* The list still says "running" when the event says that it died. */
static void test_die(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].hold = true;
	send_event(EVENT("container", "die", ID_A, "\"name\":\"web\",\"exitCode\":\"0\",\"image\":\"bb\""));
	until_inventory("web- [dmz] a@1 ");
	until(f.route[BATCH].held_count == 1);
	release(BATCH);
	until(f.route[BATCH].asked >= 2);	/* it is asked again and again */
	assert_string_equal(f.inventory, "web- [dmz] a@1 ");
	send_event(EVENT("container", "start", ID_A, "\"name\":\"web\",\"image\":\"bb\""));
	until_inventory("web+ [dmz] a@1 ");
}

static void test_destroy(void **state)
{
	(void)state;
	go_live();
	/* An older answer is under way when the container goes: it must not come back. */
	f.route[BATCH].hold = true;
	send_event(EVENT("container", "start", ID_A, "\"name\":\"web\",\"image\":\"bb\""));
	until(f.route[BATCH].held_count == 1);
	send_event(EVENT("container", "destroy", ID_A, "\"name\":\"web\",\"image\":\"bb\""));
	until_inventory("[dmz] ");
	release(BATCH);
	f.route[BATCH].body = "[]";
	until(f.route[BATCH].asked == 2);
	until_inventory("[dmz] ");
}

/* Many hints while a request is under way become one more. */
static void test_hints(void **state)
{
	(void)state;
	go_live();
	f.route[DETAIL_1].hold = true;
	for (int i = 0; i < 20; i++)
		docker_hint_bridge(f.docker, "br-111111111111");
	until(f.route[DETAIL_1].held_count == 1);
	for (int i = 0; i < 20; i++)
		docker_hint_bridge(f.docker, "br-111111111111");
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT("ep-1", "web", "198.18.0.3"));
	release(DETAIL_1);
	until(f.route[DETAIL_1].asked == 3);
	/* Its answer has been used when a later event's has. */
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", "");
	send_event(EVENT("network", "disconnect", NET_1, "\"container\":\"" ID_A "\""));
	until_inventory("web+ [dmz] ");
	assert_int_equal(f.route[DETAIL_1].asked, 4);
	/* A bridge that nobody knows. */
	f.route[NETWORKS].body = "[" NETWORK(NET_1, "dmz", "") "," NETWORK(NET_2, "new", "") "]";
	f.route[DETAIL_2].body = NETWORK(NET_2, "new", ENDPOINT(ID_A, "web", "198.18.1.2"));
	docker_hint_bridge(f.docker, "br-222222222222");
	until_inventory("web+ [dmz] [new] a@2 ");
	assert_int_equal(f.route[DETAIL_1].asked, 4);
	assert_int_equal(failures(), 0);
}

/* An answer that says nothing new is not told: who hints because of it would go round in circles. */
static void test_unchanged(void **state)
{
	unsigned int changed;

	(void)state;
	go_live();
	changed = f.changed;
	docker_hint_bridge(f.docker, "br-unknown");
	until(f.route[NETWORKS].asked == 2);
	docker_hint_bridge(f.docker, "br-111111111111");
	until(f.route[DETAIL_1].asked == 2);
	send_event(EVENT("container", "rename", ID_A, "\"name\":\"web2\",\"image\":\"bb\""));
	until_inventory("web2+ [dmz] a@1 ");
	assert_int_equal(f.changed, changed + 1);
}

/* While it is being connected a container is only a name; and one that no list has shown is asked for. */
static void test_attachments(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].body = "[" CONTAINER(ID_B, "api", "running") "]";
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT("ep-1", "web", "198.18.0.3") "," ENDPOINT("ep-2", "stranger", "198.18.0.4")
					 "," ENDPOINT(ID_B, "api", "198.18.0.5"));
	send_event(EVENT("network", "connect", NET_1, "\"container\":\"" ID_A "\",\"name\":\"dmz\""));
	until_inventory("web+ api+ [dmz] a@1 b@1 ");
	/* Both at once: the one with the ID counts. */
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT("ep-1", "web", "198.18.0.3") "," ENDPOINT(ID_A, "web", "198.18.0.6"));
	send_event(EVENT("network", "disconnect", ID_A, "\"network\":\"dmz\""));	/* as Podman says it */
	until_inventory("web+ api+ [dmz] a@1 ");
	assert_int_equal(f.last->attachments[0].addresses[0].byte[15], 6);
}

static void test_network_goes(void **state)
{
	(void)state;
	go_live();
	/* The network vanished before its detail was asked for: no failure, no loss. */
	f.route[DETAIL_1].status = 404;
	f.route[DETAIL_1].body = "{\"message\":\"network not found\"}";
	send_event(EVENT("network", "connect", NET_1, "\"container\":\"" ID_A "\""));
	until_inventory("web+ ");
	f.route[NETWORKS].body = "[" NETWORK(NET_2, "new", "") "]";
	f.route[DETAIL_2].body = NETWORK(NET_2, "new", ENDPOINT(ID_A, "web", "198.18.1.2"));
	send_event(EVENT("network", "create", NET_2, "\"name\":\"new\""));
	until_inventory("web+ [new] a@2 ");
	assert_int_equal(failures(), 0);
	assert_int_equal(f.down, 0);
}

/* Answers that cannot be used: the old inventory stands, and the next good one is used. */
static void test_bad_answers(void **state)
{
	static const struct { int status; const char *body; } bad[] = {
		{ 200, "" }, { 200, "no JSON" }, { 200, "[]" }, { 200, "{\"Id\":1}" }, { 200, NETWORK(NET_2, "other", "") },
		{ 500, "{\"message\":\"broken\"}" }, { 200, NETWORK(NET_1, "dmz", "\"" ID_A "\":{\"IPv4Address\":7}") },
	};

	(void)state;
	go_live();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f.route[DETAIL_1].status = bad[i].status;
		f.route[DETAIL_1].body = bad[i].body;
		docker_hint_bridge(f.docker, "br-111111111111");
		until(failures() == i + 1);
	}
	send_event("no JSON\n[1]\n");
	until(failures() == sizeof(bad) / sizeof(bad[0]) + 2);
	assert_string_equal(f.inventory, "web+ [dmz] a@1 ");
	assert_int_equal(f.changed, 1);
	f.route[DETAIL_1].status = 200;
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", "");
	docker_hint_bridge(f.docker, "br-111111111111");
	until_inventory("web+ [dmz] ");
	assert_int_equal(f.down, 0);
}

static void test_too_large(void **state)
{
	size_t size = (64u << 20) + 2;
	char *body = malloc(size);

	(void)state;
	go_live();
	/* Good JSON, so that only its size can be wrong. */
	memset(body, ' ', size);
	memcpy(body, "[]", 2);
	body[size - 1] = '\0';
	f.route[NETWORKS].body = body;
	docker_hint_bridge(f.docker, "br-unknown");
	until(failures() == 1);
	assert_string_equal(f.inventory, "web+ [dmz] a@1 ");
	f.route[NETWORKS].body = "[]";
	docker_hint_bridge(f.docker, "br-unknown");
	until_inventory("web+ ");
	free(body);
}

/* Chunks are not lines; a line without end costs only itself, and everything is read again. */
static void test_stream(void **state)
{
	static const char text[] = EVENT("container", "rename", ID_A, "\"name\":\"one\"") EVENT("container", "rename", ID_A, "\"name\":\"two\"");
	size_t size = 3u << 20;
	char *line = malloc(size);

	(void)state;
	go_live();
	f.route[BATCH].hold = true;	/* it would say "web" again */
	for (size_t i = 0; i < strlen(text); i += 7)
		send_text(text + i, strlen(text) - i < 7 ? strlen(text) - i : 7);
	until_inventory("two+ [dmz] a@1 ");
	send_event("\n");
	memset(line, 'x', size);
	send_text(line, size);
	f.route[CONTAINERS].body = "[" CONTAINER(ID_A, "three", "running") "]";
	until(f.route[CONTAINERS].asked == 2);
	until_inventory("three+ [dmz] a@1 ");
	send_event("x\n" EVENT("container", "rename", ID_A, "\"name\":\"four\""));
	until_inventory("four+ [dmz] a@1 ");
	assert_int_equal(failures(), 1);
	assert_int_equal(f.down, 0);
	free(line);
}

/* What happens while the lists are under way is not lost, and an incomplete inventory is not shown. */
static void test_events_while_reading(void **state)
{
	(void)state;
	start_server();
	f.route[CONTAINERS].hold = f.route[DETAIL_1].hold = true;
	start_client();
	until(f.route[CONTAINERS].held_count == 1 && f.route[DETAIL_1].held_count == 1);
	send_event(EVENT("container", "create", ID_B, "\"name\":\"api\",\"image\":\"bb\""));
	f.route[BATCH].body = "[" CONTAINER(ID_B, "api", "running") "]";
	release(DETAIL_1);
	until(events() == 1);
	docker_hint_bridge(f.docker, "br-111111111111");
	until(f.route[DETAIL_1].asked == 2);
	/* The list was made before the event, so the container is to be read after it. */
	assert_int_equal(f.route[BATCH].asked, 0);
	assert_int_equal(f.changed, 0);
	release(CONTAINERS);
	until_inventory("web+ api+ [dmz] a@1 ");
}

/* The old inventory stands while the connection is lost, and until the new one is complete. */
static void test_reconnect(void **state)
{
	struct docker_statistics statistics;
	const struct inventory *inventory;

	(void)state;
	go_live();
	inventory = f.last;
	f.route[DETAIL_1].hold = true;
	f.route[CONTAINERS].body = "[" CONTAINER(ID_B, "api", "running") "]";
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT(ID_B, "api", "198.18.0.3"));
	stop_server();
	until(f.down == 1);
	assert_non_null(strstr(f.problem, "stopped answering"));
	until(failures() >= 4);
	assert_int_equal(f.down, 1);
	start_server();
	until(f.route[DETAIL_1].held_count == 1);
	assert_int_equal(f.changed, 1);
	assert_string_equal(inventory->containers[0].name, "web");	/* valid to the last */
	assert_int_equal(inventory->attachment_count, 1);
	release(DETAIL_1);
	until_inventory("api+ [dmz] b@1 ");
	assert_int_equal(f.up, 2);
	docker_get_statistics(f.docker, &statistics);
	assert_int_equal(statistics.reconnects, 1);
	/* And once more: it is said again. */
	stop_server();
	until(f.down == 2);
	assert_string_equal(f.inventory, "api+ [dmz] b@1 ");
}

/* It answers, but with something that nobody understands. */
static void test_no_docker(void **state)
{
	(void)state;
	f.route[CONTAINERS].body = "{}";
	start_server();
	start_client();
	until(f.down == 1);
	assert_non_null(strstr(f.problem, "GET /containers/json"));
	f.route[CONTAINERS].status = 500;
	f.route[CONTAINERS].body = "[]";
	until(failures() >= 3);
	assert_int_equal(f.down, 1);
	assert_int_equal(f.up, 0);
	assert_int_equal(f.changed, 0);
	f.route[CONTAINERS].status = 200;
	until_inventory("web+ [dmz] a@1 ");	/* the container that is attached is asked for */
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		test(test_urls), test(test_late_server), test(test_create), test(test_rename), test(test_die), test(test_destroy),
		test(test_hints), test(test_unchanged), test(test_attachments), test(test_network_goes), test(test_bad_answers),
		test(test_too_large), test(test_stream), test(test_events_while_reading), test(test_reconnect),
		test(test_no_docker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
