/* SPDX-License-Identifier: GPL-2.0 */
#include "control/unix_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

struct transfer {
	const struct unix_http_request *request;
	CURL *curl;
	char *body;
	size_t length;
	bool stopped, too_long;
};

static void curlp(CURL **curl)
{
	if (*curl)
		curl_easy_cleanup(*curl);
}

static void listp(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static size_t on_data(char *data, size_t one, size_t size, void *context)
{
	struct transfer *transfer = context;
	long status = 0;
	char *bigger;

	(void)one;
	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->request->data && status == 200) {
		if (!transfer->request->data(transfer->request->context, data, size))
			return size;
		transfer->stopped = true;
		return 0;
	}
	if (size > UNIX_HTTP_MAX_BODY - transfer->length) {
		transfer->too_long = true;
		return 0;
	}
	bigger = realloc(transfer->body, transfer->length + size + 1);
	if (!bigger)
		return 0;
	memcpy(bigger + transfer->length, data, size);
	transfer->body = bigger;
	transfer->length += size;
	bigger[transfer->length] = '\0';
	return size;
}

/* libcurl calls this at least once a second. */
static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct transfer *transfer = context;

	(void)a, (void)b, (void)c, (void)d;
	if (!transfer->request->idle || !transfer->request->idle(transfer->request->context))
		return 0;
	transfer->stopped = true;
	return 1;
}

/* libcurl says only that it could not connect. */
static int connect_failure(CURL *curl, struct error *error)
{
	long code = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &code);
	switch (code) {
	case 0:
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return error_set(error, -ENOTCONN, "%s", strerror(code ? (int)code : ECONNREFUSED));
	case EACCES:
	case EPERM:
		return error_set(error, -EACCES, "%s", strerror((int)code));
	default:
		return error_set(error, -(int)code, "%s", strerror((int)code));
	}
}

int unix_http(const struct unix_http_request *request, long *ret_status, char **ret_body, struct error *error)
{
	_cleanup_(listp) struct curl_slist *headers = NULL;
	_cleanup_(curlp) CURL *curl = NULL;
	_cleanup_free_ char *url = NULL;
	struct transfer transfer = { .request = request };
	CURLcode result;
	long status = 0;

	if (strlen(request->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return error_set(error, -ENAMETOOLONG, "the socket's path is too long");
	curl = curl_easy_init();
	if (!curl || asprintf(&url, "http://localhost%s", request->path) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	transfer.curl = curl;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket);
	/* http_proxy of the environment is not meant for a socket of this machine. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
	if (request->timeout_sec)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)request->timeout_sec);
	if (request->idle) {
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
	}
	if (request->body || strcmp(request->method, "POST") == 0) {
		headers = curl_slist_append(NULL, "Content-Type: application/json");
		if (!headers)
			return error_set(error, -ENOMEM, "out of memory");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	}
	result = curl_easy_perform(curl);
	if (result == CURLE_OK || transfer.stopped) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		if (!transfer.body && !(transfer.body = strdup("")))
			return error_set(error, -ENOMEM, "out of memory");
		*ret_status = status;
		*ret_body = transfer.body;
		return 0;
	}
	free(transfer.body);
	if (transfer.too_long)
		return error_set(error, -EFBIG, "the answer is longer than %u MiB", UNIX_HTTP_MAX_BODY >> 20);
	switch (result) {
	case CURLE_COULDNT_CONNECT:
		return connect_failure(curl, error);
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(error, -ETIMEDOUT, "no answer within %u seconds", request->timeout_sec);
	case CURLE_OUT_OF_MEMORY:
		return error_set(error, -ENOMEM, "out of memory");
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return error_set(error, -ECONNRESET, "the connection broke off (%s)", curl_easy_strerror(result));
	default:
		return error_set(error, -EPROTO, "%s", curl_easy_strerror(result));
	}
}
