/*
 * Plays systemd: receives what services send to NOTIFY_SOCKET (sd_notify(3)) and prints one JSON line per datagram:
 *   {"atUsec":123456789,"pid":4711,"lines":["READY=1"]}
 * with CLOCK_MONOTONIC at reception and the sender's pid as the kernel vouches for it.
 * Usage: notify-socket PATH | @ABSTRACT-NAME. Prints {"listening":true} when bound; ends when standard input does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAM_MAX = 8192 };

static void print_string(const char *text, size_t length) {
  putchar('"');
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void print_message(const char *text, size_t length, long pid) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("{\"atUsec\":%lld,\"pid\":%ld,\"lines\":[", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, pid);
  for (size_t start = 0; start < length;) {
    const char *end = memchr(text + start, '\n', length - start);
    size_t line = end == NULL ? length - start : (size_t)(end - text) - start;
    if (start > 0) putchar(',');
    print_string(text + start, line);
    start += line + 1;
  }
  printf("]}\n");
  fflush(stdout);
}

static int bind_to(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof address.sun_path) {
    fprintf(stderr, "notify-socket: the name must have 1 to %zu bytes\n", sizeof address.sun_path - 1);
    return -1;
  }
  memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int on = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
    perror("notify-socket");
    return -1;
  }
  return fd;
}

static void receive(int fd) {
  char text[DATAGRAM_MAX];
  union {
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = text, .iov_len = sizeof text};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (length < 0) return;
  long pid = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS) continue;
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(c), sizeof sender);
    pid = sender.pid;
  }
  print_message(text, (size_t)length, pid);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: notify-socket PATH | @ABSTRACT-NAME\n");
    return 2;
  }
  int fd = bind_to(argv[1]);
  if (fd < 0) return 1;
  printf("{\"listening\":true}\n");
  fflush(stdout);
  struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  for (;;) {
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return 1;
    if (waits[0].revents & POLLIN) receive(fd);
    else if (waits[1].revents != 0) return 0;
  }
}
