/*
 * Copyright (C) 2026 the ganeti-confd authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sends prepared requests to one server and measures the replies.
 *
 *   load ADDRESS PORT FILE SECONDS WINDOW RATE TIMEOUT
 *
 * FILE has the datagrams, each after its length (four bytes, big-endian). Each
 * datagram, and the reply to it, contains the text "bench-" and the request's
 * number, from 0, in eight hex digits.
 *
 * With RATE 0, WINDOW requests are always in flight, which measures the
 * server's throughput. Otherwise RATE requests are sent per second, whether or
 * not replies come. A request's latency begins when the request is due, so that
 * a pause of the server counts for all requests that are due meanwhile.
 *
 * A request without a reply within TIMEOUT seconds is lost. The output is JSON;
 * latencies are in microseconds.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define MAX_DATAGRAM 65536
#define RECEIVE_BUFFER (16 << 20)
#define TAG "bench-"
#define TAG_LENGTH (sizeof(TAG) - 1)
#define DIGITS 8

struct request {
  struct iovec data;
  double due;                   /* 0: not in flight */
};

static struct request *requests;
static size_t request_count, next_request, in_flight;
static float *latencies;
static size_t latency_count, latency_room;
static unsigned long sent, lost, late, bytes;
static char buffers[BATCH][MAX_DATAGRAM];
static int sock;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void *need(void *memory) {
  if (!memory)
    die("memory");
  return memory;
}

static void read_requests(const char *path) {
  FILE *file = fopen(path, "rb");
  unsigned char head[4];

  if (!file)
    die(path);
  while (fread(head, sizeof(head), 1, file) == 1) {
    size_t size = head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
    struct request *request;

    requests = need(realloc(requests, (request_count + 1) * sizeof(*requests)));
    request = &requests[request_count++];
    request->due = 0;
    request->data.iov_len = size;
    request->data.iov_base = need(malloc(size));
    if (fread(request->data.iov_base, size, 1, file) != 1)
      die(path);
  }
  fclose(file);
  if (!request_count)
    die("no requests");
}

static void open_socket(const char *address, int port) {
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port) };
  int size = RECEIVE_BUFFER;

  if (inet_pton(AF_INET, address, &peer.sin_addr) != 1)
    die(address);
  sock = socket(AF_INET, SOCK_DGRAM, 0);
  if (sock < 0 || connect(sock, (struct sockaddr *) &peer, sizeof(peer)) < 0)
    die("socket");
  /* Exceed the system's limit if that is allowed */
  if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* Sends up to count requests that are due at a time; returns how many. */
static int send_some(size_t count, double due) {
  struct mmsghdr messages[BATCH];
  size_t chosen = 0, done = 0;

  memset(messages, 0, sizeof(messages));
  while (chosen < count && chosen < BATCH && in_flight < request_count) {
    size_t number = next_request;

    next_request = (next_request + 1) % request_count;
    if (requests[number].due)
      continue;
    requests[number].due = due;
    in_flight++;
    messages[chosen].msg_hdr.msg_iov = &requests[number].data;
    messages[chosen++].msg_hdr.msg_iovlen = 1;
  }
  while (done < chosen) {
    int taken = sendmmsg(sock, messages + done, chosen - done, 0);

    if (taken < 0)
      die("send");
    done += taken;
  }
  sent += chosen;
  return chosen;
}

/* Finds out which request a reply belongs to. In most replies the salt comes
 * last, so the search begins there. */
static long request_of(const char *reply, size_t size) {
  const char *at = reply + size - TAG_LENGTH - DIGITS;
  char digits[DIGITS + 1] = "";

  for (; at >= reply; at--)
    if (*at == TAG[0] && !memcmp(at, TAG, TAG_LENGTH)) {
      memcpy(digits, at + TAG_LENGTH, DIGITS);
      return strtol(digits, NULL, 16);
    }
  return -1;
}

static void note(double latency) {
  if (latency_count == latency_room) {
    latency_room = latency_room ? 2 * latency_room : 1 << 16;
    latencies = need(realloc(latencies, latency_room * sizeof(*latencies)));
  }
  latencies[latency_count++] = latency * 1e6;
}

/* Receives all replies that have come. */
static void receive_some(void) {
  struct mmsghdr messages[BATCH];
  struct iovec data[BATCH];
  int count, i;
  double time;

  memset(messages, 0, sizeof(messages));
  for (i = 0; i < BATCH; i++) {
    data[i].iov_base = buffers[i];
    data[i].iov_len = MAX_DATAGRAM;
    messages[i].msg_hdr.msg_iov = &data[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  count = recvmmsg(sock, messages, BATCH, MSG_DONTWAIT, NULL);
  if (count < 0 && errno != EAGAIN && errno != EINTR)
    die("receive");
  time = now();
  for (i = 0; i < count; i++) {
    long number = request_of(buffers[i], messages[i].msg_len);

    if (number < 0 || number >= (long) request_count || !requests[number].due) {
      late++;
      continue;
    }
    note(time - requests[number].due);
    requests[number].due = 0;
    in_flight--;
    bytes += messages[i].msg_len;
  }
}

static void give_up(double before) {
  size_t i;

  for (i = 0; i < request_count; i++)
    if (requests[i].due && requests[i].due < before) {
      requests[i].due = 0;
      in_flight--;
      lost++;
    }
}

static void wait_until(double time) {
  struct pollfd pollfd = { .fd = sock, .events = POLLIN };
  double left = time - now();
  struct timespec ts = { 0, 0 };

  if (left > 0) {
    ts.tv_sec = left;
    ts.tv_nsec = (left - ts.tv_sec) * 1e9;
  }
  if (ppoll(&pollfd, 1, &ts, NULL) < 0 && errno != EINTR)
    die("poll");
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *) a, y = *(const float *) b;

  return (x > y) - (x < y);
}

static double percentile(double part) {
  if (!latency_count)
    return 0;
  return latencies[(size_t) (part * (latency_count - 1))];
}

int main(int argc, char **argv) {
  double start, end, time, due, check, seconds, rate, timeout;
  size_t window;

  if (argc != 8) {
    fprintf(stderr, "usage: load ADDRESS PORT FILE SECONDS WINDOW RATE"
            " TIMEOUT\n");
    return 2;
  }
  read_requests(argv[3]);
  open_socket(argv[1], atoi(argv[2]));
  seconds = atof(argv[4]);
  window = atoi(argv[5]);
  rate = atof(argv[6]);
  timeout = atof(argv[7]);

  start = due = check = now();
  end = start + seconds;
  for (time = start; time < end; time = now()) {
    if (rate) {
      while (due <= time) {
        if (!send_some(1, due))
          lost++;
        due += 1 / rate;
      }
      wait_until(due < end ? due : end);
    } else {
      while (in_flight < window && send_some(window - in_flight, time))
        ;
      wait_until(time + timeout / 4 < end ? time + timeout / 4 : end);
    }
    receive_some();
    if (time >= check + timeout / 4) {
      give_up(time - timeout);
      check = time;
    }
  }
  seconds = time - start;
  window = latency_count;
  while (in_flight && (time = now()) < end + timeout) {
    wait_until(end + timeout);
    receive_some();
  }
  give_up(now() + 1);

  qsort(latencies, latency_count, sizeof(*latencies), by_size);
  printf("{\"seconds\": %.6f, \"sent\": %lu, \"received\": %zu, \"lost\": %lu,"
         " \"late\": %lu, \"bytes\": %lu, \"rate\": %.1f, \"p50\": %.1f,"
         " \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"worst\": %.1f}\n",
         seconds, sent, latency_count, lost, late, bytes, window / seconds,
         percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
         percentile(1));
  return 0;
}
