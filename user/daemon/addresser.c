/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/addresser.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

struct addresser {
	pthread_t thread;
	bool running, stopping;
	int request_fd;	/* blocks the thread */
	int ready_fd;	/* wakes the main loop */
	pthread_mutex_t lock;
	struct netlink_address *addresses;	/* under the lock, until it is taken */
	size_t count;
};

static void raise_event(int fd)
{
	uint64_t one = 1;

	/* It can only fail when the counter is full, and then the reader is awake. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void *run(void *context)
{
	struct addresser *addresser = context;
	uint64_t requests;

	while (read(addresser->request_fd, &requests, sizeof(requests)) == sizeof(requests)) {
		struct netlink_address *addresses, *old;
		size_t count;

		if (__atomic_load_n(&addresser->stopping, __ATOMIC_ACQUIRE))
			break;
		if (netlink_dump_addresses(&addresses, &count, NULL) < 0)
			continue;
		pthread_mutex_lock(&addresser->lock);
		old = addresser->addresses;
		addresser->addresses = addresses;
		addresser->count = count;
		pthread_mutex_unlock(&addresser->lock);
		free(old);
		raise_event(addresser->ready_fd);
	}
	return NULL;
}

int addresser_start(struct addresser **ret, struct error *error)
{
	struct addresser *addresser = calloc(1, sizeof(*addresser));
	int r;

	if (!addresser)
		return error_set(error, -ENOMEM, "out of memory");
	pthread_mutex_init(&addresser->lock, NULL);
	addresser->request_fd = eventfd(0, EFD_CLOEXEC);
	addresser->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = addresser->request_fd < 0 || addresser->ready_fd < 0 ? -errno :
	    -pthread_create(&addresser->thread, NULL, run, addresser);
	if (r < 0) {
		addresser_stop(addresser);
		return error_set(error, r, "cannot start a thread: %s", strerror(-r));
	}
	addresser->running = true;
	*ret = addresser;
	return 0;
}

void addresser_stop(struct addresser *addresser)
{
	if (!addresser)
		return;
	if (addresser->running) {
		__atomic_store_n(&addresser->stopping, true, __ATOMIC_RELEASE);
		raise_event(addresser->request_fd);
		pthread_join(addresser->thread, NULL);
	}
	closep(&addresser->request_fd);
	closep(&addresser->ready_fd);
	pthread_mutex_destroy(&addresser->lock);
	free(addresser->addresses);
	free(addresser);
}

void addresser_request(struct addresser *addresser)
{
	raise_event(addresser->request_fd);
}

int addresser_fd(const struct addresser *addresser)
{
	return addresser->ready_fd;
}

int addresser_take(struct addresser *addresser, struct netlink_address **ret, size_t *ret_count)
{
	uint64_t count;
	int r = -EAGAIN;

	if (read(addresser->ready_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	pthread_mutex_lock(&addresser->lock);
	if (addresser->addresses) {
		*ret = TAKE_PTR(addresser->addresses);
		*ret_count = addresser->count;
		r = 0;
	}
	pthread_mutex_unlock(&addresser->lock);
	return r;
}
