/* Copyright (C) 2026 the ganeti-confd authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Asks master candidates one question and prints the freshest answer as JSON;
 * see doc/protocol.rst. Does not fetch answers in parts. Exit codes: 0 for an
 * answer, 1 for an error as the answer, 2 for no answer.
 *
 *   cc -o confd-ask confd-ask.c -lcrypto
 *   ./confd-ask /var/lib/ganeti/hmac.key 1814 3 null 192.0.2.1 2001:db8::2 */
#include <err.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DATAGRAM = 61440, MAX_REQUEST = 4096, MIN_KEY = 16, DIGITS = 40 };
enum { TICK = 10, FIRST = 100, LAST = 1000, WAIT = 1000, TIMEOUT = 10000 };
static char key[MAX_DATAGRAM], rsalt[33], label[256];
static int key_size; /* no label: the key is the cluster's */
static unsigned long long rank;
static char best[MAX_DATAGRAM]; /* status and answer of the freshest reply */

static long long now(void) { /* milliseconds */
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return 1000LL * ts.tv_sec + ts.tv_nsec / 1000000;
}

static void load_key(const char *path) {
  char hex[65];
  FILE *file = fopen(path, "rb");
  if (!file) err(2, "%s", path);
  key_size = (int)fread(key, 1, sizeof(key) - 1, file);
  fclose(file);
  if (key_size < MIN_KEY) errx(2, "%s: too short for a key", path);
  if (sscanf(key, "confd reader key 1 label: %255s key: %64s", label, hex) == 2)
    key_size = sprintf(key, "%s", hex);
}

static void sign(const char *salt, const char *msg, char hmac[DIGITS + 1]) {
  static char text[sizeof(label) + 2 * MAX_DATAGRAM];
  unsigned char mac[DIGITS / 2], *start = (unsigned char *)text;
  int size = *label ? sprintf(text, "%s%c", label, 0) : 0;
  size += sprintf(text + size, "%s%s", salt, msg);
  HMAC(EVP_sha1(), key, key_size, start, (size_t)size, mac, NULL);
  for (int i = 0; i < DIGITS; i += 2) sprintf(hmac + i, "%02x", mac[i / 2]);
}

static void ask(int sock, const char *type, const char *query) {
  char msg[MAX_REQUEST], hmac[DIGITS + 1], salt[21], data[3 * MAX_REQUEST];
  snprintf(msg, MAX_REQUEST, "{\"protocol\":1,\"type\":%s,\"query\":%s,"
           "\"rsalt\":\"%s\"}", type, query, rsalt);
  sprintf(salt, "%lld", (long long)time(NULL));
  sign(salt, msg, hmac);
  int size = sprintf(data, "plj0{\"salt\":\"%s\",\"hmac\":\"%s\",", salt, hmac);
  if (*label) size += sprintf(data + size, "\"key\":\"%s\",", label);
  size += sprintf(data + size, "\"msg\":\"");
  for (const char *p = msg; *p; data[size++] = *p++)
    if (*p == '"' || *p == '\\') data[size++] = '\\';
  size += sprintf(data + size, "\"}");
  if (size > MAX_REQUEST) errx(2, "the request is too long");
  send(sock, data, (size_t)size, 0);
}

/* Returns the value of a key of the JSON object at p, or NULL, and sets end. */
static const char *find(const char *p, const char *name, const char **end) {
  const char *value = NULL, *start = p, *stop = p;
  for (int quoted = 0, depth = 0; *p; p++) {
    if (quoted && *p == '\\' && p[1]) p++;
    else if (*p == '"' && (quoted = !quoted)) start = p + 1;
    else if (*p == '"') stop = p;
    else if (quoted) continue;
    else if (value && depth == 1 && strchr(",}", *p)) return *end = p, value;
    else if (*p != ':') depth += !!strchr("[{", *p) - !!strchr("]}", *p);
    else if (depth == 1 && stop == start + strlen(name) &&
             !strncmp(start, name, strlen(name)))
      value = p + 1 + strspn(p + 1, " \t\r\n");
  }
  return NULL;
}

/* Copies a string of an envelope, if it has no escapes but daemons' usual. */
static int get(const char *envelope, const char *name, char *out) {
  const char *end, *p = find(envelope, name, &end);
  if (!p || *p++ != '"') return 0;
  for (; *p != '"'; *out++ = *p++)
    if (*p == '\\' && !strchr("\"\\/", *++p)) return 0;
  *out = '\0';
  return 1;
}

/* Takes a datagram, and returns whether it is the reply. */
static int receive(int sock) {
  static char data[MAX_DATAGRAM + 2], msg[MAX_DATAGRAM], text[MAX_DATAGRAM];
  char hmac[DIGITS + 1];
  ssize_t size = recv(sock, data, MAX_DATAGRAM + 1, MSG_DONTWAIT);
  data[size < 0 ? 0 : size] = '\0';
  if (size > MAX_DATAGRAM || strncmp(data, "plj0{", 5) ||
      (*label && (!get(data, "key", text) || strcmp(text, label))) ||
      !get(data, "salt", text) || strcmp(text, rsalt) ||
      !get(data, "msg", msg) || !get(data, "hmac", text)) return 0;
  sign(rsalt, msg, hmac);
  for (char *p = text; *p; p++) *p |= ' '; /* digits in lower case */
  if (strlen(text) != DIGITS || CRYPTO_memcmp(text, hmac, DIGITS)) return 0;
  const char *end, *status = find(msg, "status", &end),
             *serial = find(msg, "serial", &end),
             *answer = find(msg, "answer", &end);
  if (!status || !strchr("012", *status) || !serial || !answer) return 0;
  unsigned long long new_rank = 2 + strtoull(serial, NULL, 10);
  /* Ganeti's daemon sends a text as the error if it cannot answer */
  if (*status == '1' && *answer == '"') new_rank = 1;
  if (new_rank <= rank) return 1;
  rank = new_rank;
  sprintf(best, "%c%.*s", *status, (int)(end - answer), answer);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 6) errx(2, "usage: confd-ask KEY_FILE PORT TYPE QUERY ADDRESS...");
  struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found;
  struct pollfd socks[argc];
  unsigned long long random[2];
  int count = argc - 5, replied = 0;
  load_key(argv[1]);
  if (RAND_bytes((unsigned char *)random, 16) != 1) errx(2, "no random bytes");
  sprintf(rsalt, "%016llx%016llx", random[0], random[1]);
  for (int i = 0; i < count; i++) {
    if (getaddrinfo(argv[5 + i], argv[2], &hints, &found))
      errx(2, "%s, port %s: no address", argv[5 + i], argv[2]);
    int sock = socket(found->ai_family, SOCK_DGRAM, 0);
    /* Datagrams from others do not reach a connected socket */
    if (connect(sock, found->ai_addr, found->ai_addrlen)) sock = -1;
    socks[i] = (struct pollfd){ .fd = sock, .events = POLLIN };
    freeaddrinfo(found);
  }
  int enough = count < 3 ? count : count < 5 ? count - 1 : count / 2 + 1;
  long long start = now(), next = start, end = start + TIMEOUT, pause = FIRST;
  while (replied < enough && now() < end) {
    if (now() >= next) {
      for (int i = 0; i < count; i++)
        if (socks[i].fd >= 0) ask(socks[i].fd, argv[3], argv[4]);
      next = now() + pause;
      pause = pause * 3 / 2 < LAST ? pause * 3 / 2 : LAST;
    }
    poll(socks, (nfds_t)count, TICK);
    for (int i = 0; i < count; i++)
      if (socks[i].fd >= 0 && socks[i].revents && receive(socks[i].fd))
        socks[i].fd = -1, replied++;
    if (rank > 1) end = start + WAIT;
  }
  if (!rank) errx(2, "no answer");
  if (*best == '0') return puts(best + 1) < 0;
  errx(1, "status %c, answer %s", *best, best + 1);
}
