/* SPDX-License-Identifier: GPL-2.0 */
/* The Docker client: which containers are shown, with which labels, and what is asked for that. */
#include "unit/docker_server.h"

#define OWN	"\"dnetbpf.mode\":\"audit\""
#define IMAGES	"\"app\":\"web\""
#define CREATE	EVENT("container", "create", ID_B, "\"name\":\"api\",\"image\":\"bb\"," OWN "," IMAGES)

static int set_up_images(void **state)
{
	if (set_up(state) < 0)
		return -1;
	f.route[IMAGE_NAME].body = f.route[IMAGE_ID].body = "{\"Id\":\"sha256:" IMAGE "\",\"Config\":{\"Labels\":{" IMAGES "}}}";
	f.route[BATCH].body = "[" LABELLED(ID_B, "api", "created", OWN "," IMAGES) "]";
	return 0;
}

static const struct container *shown(const char *id)
{
	const struct container *container = f.last ? inventory_container(f.last, id) : NULL;

	if (!container)
		fail_msg("%s is not shown: %s", id, f.inventory);
	return container;
}

static void check_stripped(const char *id)
{
	const struct container *container = shown(id);

	assert_null(container_label(container, "app"));
	assert_string_equal(container_label(container, "dnetbpf.mode"), "audit");
	assert_non_null(container->image_labels);
	assert_string_equal(container->image_labels[0], "app");
	assert_null(container->image_labels[1]);
	assert_false(container->labels_unknown);
}

static bool is_shown(const char *id)
{
	return f.last && inventory_container(f.last, id);
}

/* Until every event that was sent has been read. */
static void drain(void)
{
	unsigned long before = events();

	send_event(EVENT("container", "resize", ID_A, ""));
	until(events() > before);
}

/* The image is asked for beside the list, and nobody sees its labels meanwhile. A second container waits for nothing. */
static void test_first_of_an_image(void **state)
{
	(void)state;
	go_live();
	f.route[IMAGE_NAME].hold = f.route[BATCH].hold = true;
	send_event(CREATE);
	until(f.route[IMAGE_NAME].held_count == 1 && f.route[BATCH].held_count == 1);
	release(BATCH);
	drain();
	docker_hint_bridge(f.docker, "br-111111111111");
	until(f.route[DETAIL_1].asked == 2);
	assert_false(is_shown(ID_B));
	release(IMAGE_NAME);
	until_inventory("web+ api- [dmz] a@1 ");
	check_stripped(ID_B);
	assert_int_equal(f.route[BATCH].asked, 1);
	assert_int_equal(f.route[IMAGE_ID].asked, 0);

	f.route[BATCH].hold = true;
	send_event(EVENT("container", "create", "cc", "\"name\":\"second\",\"image\":\"bb\"," OWN "," IMAGES));
	until_inventory("web+ api- second- [dmz] a@1 ");
	check_stripped("cc");
	assert_int_equal(f.route[IMAGE_NAME].asked, 1);
	assert_int_equal(failures(), 0);
}

/* The other order of the answers. */
static void test_the_image_answers_first(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].hold = true;
	send_event(CREATE);
	until(f.route[BATCH].held_count == 1 && f.route[IMAGE_NAME].asked == 1);
	drain();
	release(BATCH);
	until_inventory("web+ api- [dmz] a@1 ");
	check_stripped(ID_B);
	assert_int_equal(f.route[IMAGE_ID].asked, 0);
}

/* At the start, and after a lost connection: nothing is shown before its image is known, and no image is asked for twice. */
static void test_reading(void **state)
{
	(void)state;
	f.route[CONTAINERS].body = "[" LABELLED(ID_A, "web", "running", OWN "," IMAGES) "," LABELLED(ID_B, "api", "created", IMAGES) "]";
	f.route[IMAGE_ID].hold = true;
	start_server();
	start_client();
	until(f.route[IMAGE_ID].held_count == 1 && f.route[DETAIL_1].asked == 1);
	assert_int_equal(f.changed, 0);
	release(IMAGE_ID);
	until_inventory("web+ api- [dmz] a@1 ");
	check_stripped(ID_A);
	assert_int_equal(shown(ID_B)->label_count, 0);
	assert_int_equal(f.changed, 1);
	stop_server();
	until(f.down == 1);
	start_server();
	until(f.changed == 2);
	check_stripped(ID_A);
	assert_int_equal(f.route[IMAGE_ID].asked, 1);
	assert_int_equal(f.route[IMAGE_NAME].asked, 0);
}

/* Without labels there is nothing to ask. */
static void test_no_labels(void **state)
{
	(void)state;
	go_live();
	f.route[BATCH].hold = true;
	send_event(EVENT("container", "create", ID_B, "\"name\":\"api\",\"image\":\"bb\""));
	until_inventory("web+ api- [dmz] a@1 ");
	assert_int_equal(f.route[IMAGE_NAME].asked, 0);
}

/* The name is another image's by now: the list, which has the ID, has the last word. */
static void test_the_list_has_the_last_word(void **state)
{
	(void)state;
	f.route[IMAGE_NAME].body = "{\"Id\":\"sha256:ffff\",\"Config\":{\"Labels\":{" OWN "}}}";
	go_live();
	send_event(CREATE);
	until_inventory("web+ api- [dmz] a@1 ");
	until(f.route[IMAGE_ID].asked == 1);
	until(is_shown(ID_B) && !container_label(shown(ID_B), "app"));
	check_stripped(ID_B);
}

/* After an event about images a name is asked for again, also when its answer was under way. */
static void test_names_move(void **state)
{
	(void)state;
	go_live();
	f.route[IMAGE_NAME].hold = true;
	send_event(CREATE);
	until(f.route[IMAGE_NAME].held_count == 1);
	send_event(EVENT("image", "tag", "sha256:ffff", "\"name\":\"bb\""));
	drain();
	release(IMAGE_NAME);
	until_inventory("web+ api- [dmz] a@1 ");
	f.route[BATCH].hold = true;
	f.route[BATCH].body = "[]";
	f.route[IMAGE_NAME].body = "{\"Id\":\"sha256:ffff\",\"Config\":{\"Labels\":{" OWN "}}}";
	send_event(EVENT("container", "create", "cc", "\"name\":\"second\",\"image\":\"bb\"," OWN "," IMAGES));
	until(f.route[IMAGE_NAME].asked == 2);
	drain();
	assert_false(is_shown("cc"));
}

/* Nobody knows which labels are its own: it has none, and it says so. When the image comes back they are known again. */
static void test_gone(void **state)
{
	(void)state;
	f.route[IMAGE_NAME].status = f.route[IMAGE_ID].status = 404;
	go_live();
	send_event(CREATE);
	until_inventory("web+ api- [dmz] a@1 ");
	assert_true(shown(ID_B)->labels_unknown);
	assert_int_equal(shown(ID_B)->label_count, 0);
	assert_int_equal(failures(), 0);
	f.route[IMAGE_ID].status = 200;
	f.route[CONTAINERS].body = "[" CONTAINER(ID_A, "web", "running") "," LABELLED(ID_B, "api", "created", OWN "," IMAGES) "]";
	send_event(EVENT("image", "pull", "bb", ""));
	until(!shown(ID_B)->labels_unknown);
	check_stripped(ID_B);
}

/* One that the engine cannot read does not keep everything else from being shown; it is asked for again. */
static void test_unreadable(void **state)
{
	(void)state;
	f.route[IMAGE_ID].status = 500;
	f.route[CONTAINERS].body = "[" CONTAINER(ID_A, "web", "running") "," LABELLED(ID_B, "api", "created", OWN "," IMAGES) "]";
	start_server();
	start_client();
	until_inventory("web+ api- [dmz] a@1 ");
	assert_true(shown(ID_B)->labels_unknown);
	assert_int_equal(f.down, 0);
	assert_int_equal(failures(), 1);
	f.route[IMAGE_ID].status = 200;
	until(!shown(ID_B)->labels_unknown);
	check_stripped(ID_B);
}

/* What happens to a container while its image is not known. */
static void test_events_while_held(void **state)
{
	(void)state;
	go_live();
	f.route[IMAGE_NAME].hold = true;
	send_event(CREATE);
	until(f.route[IMAGE_NAME].held_count == 1 && f.route[BATCH].asked == 1);
	f.route[BATCH].body = "[" LABELLED(ID_B, "api2", "running", OWN "," IMAGES) "]";
	send_event(EVENT("container", "rename", ID_B, "\"name\":\"api2\",\"image\":\"bb\"," OWN "," IMAGES));
	until(f.route[BATCH].asked == 2);
	/* While it is being connected its network has only its name, and this is known of a held one. */
	f.route[DETAIL_1].body = NETWORK(NET_1, "dmz", ENDPOINT("ep-1", "api2", "198.18.0.3"));
	docker_hint_bridge(f.docker, "br-111111111111");
	until_inventory("web+ [dmz] b@1 ");
	assert_int_equal(f.route[BATCH].asked, 2);
	release(IMAGE_NAME);
	until_inventory("web+ api2+ [dmz] b@1 ");
	check_stripped(ID_B);
}

static void test_destroyed_while_held(void **state)
{
	(void)state;
	go_live();
	f.route[IMAGE_NAME].hold = true;
	send_event(CREATE);
	until(f.route[IMAGE_NAME].held_count == 1 && f.route[BATCH].asked == 1);
	f.route[BATCH].body = "[]";
	send_event(EVENT("container", "destroy", ID_B, "\"name\":\"api\""));
	drain();
	release(IMAGE_NAME);
	send_event(EVENT("container", "create", "cc", "\"name\":\"second\",\"image\":\"bb\""));
	until_inventory("web+ second- [dmz] a@1 ");
}

/* A name that could change the request is not asked for; the list knows the ID. */
static void test_hostile_name(void **state)
{
	(void)state;
	go_live();
	send_event(EVENT("container", "create", ID_B, "\"name\":\"api\",\"image\":\"../x?y \\r\\nHost: z\"," IMAGES));
	until_inventory("web+ api- [dmz] a@1 ");
	check_stripped(ID_B);
	assert_int_equal(f.route[IMAGE_ID].asked, 1);
	assert_int_equal(failures(), 0);
}

/* Only a container that runs is inspected, once, and what was learned stays. */
static void test_resolvers(void **state)
{
	struct dnet_addr *resolvers;

	(void)state;
	f.route[INSPECT_A].body = "{\"HostConfig\":{\"Dns\":[\"198.18.0.53\",\"2001:db8::53\"]}}";
	f.route[CONTAINERS].body = "[" CONTAINER(ID_A, "web", "created") "]";
	start_server();
	start_client();
	until_inventory("web- [dmz] a@1 ");
	drain();
	assert_int_equal(f.route[INSPECT_A].asked, 0);
	f.route[BATCH].body = "[" CONTAINER(ID_A, "web", "running") "]";
	send_event(EVENT("container", "start", ID_A, "\"name\":\"web\",\"image\":\"bb\""));
	until(shown(ID_A)->resolver_count == 2);
	resolvers = shown(ID_A)->resolvers;
	assert_int_equal(resolvers[0].byte[15], 0x35);
	assert_int_equal(resolvers[1].byte[0], 0x20);
	f.route[BATCH].body = "[" CONTAINER(ID_A, "web2", "running") "]";
	send_event(EVENT("container", "rename", ID_A, "\"name\":\"web2\",\"image\":\"bb\""));
	until(f.route[BATCH].asked == 2);
	send_event(EVENT("container", "update", ID_A, "\"name\":\"web2\",\"image\":\"bb\""));
	until(f.route[BATCH].asked == 3);
	stop_server();
	until(f.down == 1);
	f.route[CONTAINERS].body = f.route[BATCH].body;
	start_server();
	until(f.up == 2);
	drain();
	assert_int_equal(shown(ID_A)->resolver_count, 2);
	assert_int_equal(f.route[INSPECT_A].asked, 1);
}

/* One that cannot be inspected now is inspected later. */
static void test_resolvers_later(void **state)
{
	(void)state;
	f.route[INSPECT_A].status = 500;
	go_live();
	until(failures() == 1);
	f.route[INSPECT_A].status = 200;
	f.route[INSPECT_A].body = "{\"HostConfig\":{\"Dns\":[\"198.18.0.53\"]}}";
	until(shown(ID_A)->resolver_count == 1);
	assert_int_equal(f.down, 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up_images, tear_down)
	static const struct CMUnitTest tests[] = {
		test(test_first_of_an_image), test(test_the_image_answers_first), test(test_reading), test(test_no_labels),
		test(test_the_list_has_the_last_word), test(test_names_move), test(test_gone), test(test_unreadable),
		test(test_events_while_held), test(test_destroyed_while_held), test(test_hostile_name), test(test_resolvers),
		test(test_resolvers_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
