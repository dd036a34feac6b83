/* What an answer costs the server: keeps some connections busy for a second at a time, round after round, and
 * compares the CPU time a request of our gateway with that of a bare libmicrohttpd which sends as many bytes.
 * Usage: http_load GATEWAY_PORT GATEWAY_PID HTTP_BARE PATH...   Exits 1 when a median is above MOST. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ROUNDS      15
#define ROUND_MS    1000
#define CONNECTIONS 8      /* as many as a house has screens and programs that ask */
#define ANSWER_MAX  262144
#define MOST        1.3
#define SERVER_CPU  0
#define CLIENT_CPU  1

struct server {
        unsigned port;
        pid_t pid;
        const char *path;
};

struct connection {
        int fd;
        size_t len, want;     /* received of this answer; its length, 0 while not known */
        char head[4096];
};

static void die(const char *what) {
        fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
        exit(2);
}

static uint64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

/* Nanoseconds on a processor, of all threads that live. */
static uint64_t cpu_ns(pid_t pid) {
        unsigned long long ns = 0;
        char path[64];
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/schedstat", (int) pid);
        f = fopen(path, "r");
        if (!f || fscanf(f, "%llu", &ns) != 1)
                die(path);
        fclose(f);
        return ns;
}

/* Where there is more than one processor, one is the servers' and one is ours. */
static void pin(pid_t pid, int cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
                (void) sched_setaffinity(pid, sizeof set, &set);
}

/* ---- the client ---- */

static int dial(unsigned port) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) < 0)
                die("connect");
        return fd;
}

static void ask(struct connection *c, const struct server *s) {
        char request[300];
        int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: bench\r\n"
                         "Accept: */*\r\n\r\n", s->path, s->port);

        c->len = c->want = 0;
        if (send(c->fd, request, (size_t) n, MSG_NOSIGNAL) != n)
                die("send");
}

static void find_length(struct connection *c) {
        char *end, *length;

        c->head[c->len < sizeof c->head ? c->len : sizeof c->head - 1] = 0;
        end = strstr(c->head, "\r\n\r\n");
        if (!end)
                return;
        length = strcasestr(c->head, "\r\nContent-Length:");
        if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 || !length) {
                fprintf(stderr, "http_load: unexpected answer: %.300s\n", c->head);
                exit(2);
        }
        c->want = (size_t) (end + 4 - c->head) + strtoul(length + 17, NULL, 10);
}

/* True when the answer is complete. */
static bool take(struct connection *c) {
        static char rest[ANSWER_MAX];
        bool in_head = c->len < sizeof c->head - 1 && c->want == 0;
        ssize_t n = in_head ? recv(c->fd, c->head + c->len, sizeof c->head - 1 - c->len, 0)
                            : recv(c->fd, rest, sizeof rest, 0);

        if (n <= 0)
                die("recv");
        c->len += (size_t) n;
        if (c->want == 0)
                find_length(c);
        return c->want > 0 && c->len >= c->want;
}

/* Requests answered in ms. */
static uint64_t load(const struct server *s, unsigned ms) {
        struct connection connections[CONNECTIONS];
        struct pollfd polls[CONNECTIONS];
        uint64_t answered = 0, end = now_ms() + ms;

        for (unsigned i = 0; i < CONNECTIONS; i++) {
                connections[i].fd = dial(s->port);
                polls[i] = (struct pollfd) { .fd = connections[i].fd, .events = POLLIN };
                ask(&connections[i], s);
        }
        while (now_ms() < end) {
                if (poll(polls, CONNECTIONS, 1000) <= 0)
                        die("no answer");
                for (unsigned i = 0; i < CONNECTIONS; i++) {
                        if (!polls[i].revents || !take(&connections[i]))
                                continue;
                        answered++;
                        ask(&connections[i], s);
                }
        }
        for (unsigned i = 0; i < CONNECTIONS; i++)
                close(connections[i].fd);
        return answered;
}

/* Body bytes of one answer. */
static size_t body_length(const struct server *s) {
        struct connection c = { .fd = dial(s->port) };
        size_t head;

        ask(&c, s);
        while (!take(&c))
                ;
        head = (size_t) (strstr(c.head, "\r\n\r\n") + 4 - c.head);
        close(c.fd);
        return c.want - head;
}

/* ---- the bare server ---- */

struct bare {
        struct server server;
        int stop;              /* its standard input */
};

static void bare_start(struct bare *b, const char *program, size_t bytes) {
        int in[2], out[2];
        char text[32] = "";

        if (pipe(in) < 0 || pipe(out) < 0)
                die("pipe");
        snprintf(text, sizeof text, "%zu", bytes);
        b->server.pid = fork();
        if (b->server.pid < 0)
                die("fork");
        if (b->server.pid == 0) {
                dup2(in[0], STDIN_FILENO);
                dup2(out[1], STDOUT_FILENO);
                close(in[1]);
                execl(program, program, text, (char *) NULL);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        memset(text, 0, sizeof text);
        if (read(out[0], text, sizeof text - 1) <= 0)
                die(program);
        close(out[0]);
        b->stop = in[1];
        b->server.port = (unsigned) strtoul(text, NULL, 10);
        b->server.path = "/";
}

static void bare_stop(struct bare *b) {
        close(b->stop);
        waitpid(b->server.pid, NULL, 0);
}

/* ---- the comparison ---- */

static double cost_us(const struct server *s) {
        uint64_t before = cpu_ns(s->pid), answered = load(s, ROUND_MS);

        return (double) (cpu_ns(s->pid) - before) / 1000.0 / (double) answered;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

static double median(double *values) {
        qsort(values, ROUNDS, sizeof *values, compare);
        return values[ROUNDS / 2];
}

/* True when the goal is met. */
static bool measure(const struct server *gateway, const char *program) {
        double ours[ROUNDS], bare[ROUNDS], ratios[ROUNDS];
        size_t bytes = body_length(gateway);
        struct bare b = { .stop = -1 };

        bare_start(&b, program, bytes);
        pin(b.server.pid, SERVER_CPU);
        (void) load(gateway, ROUND_MS / 4);
        (void) load(&b.server, ROUND_MS / 4);
        for (unsigned i = 0; i < ROUNDS; i++) {
                /* Whatever else the machine does in this round, it does to both. */
                if (rand() % 2) {
                        ours[i] = cost_us(gateway);
                        bare[i] = cost_us(&b.server);
                } else {
                        bare[i] = cost_us(&b.server);
                        ours[i] = cost_us(gateway);
                }
                ratios[i] = ours[i] / bare[i];
        }
        bare_stop(&b);
        qsort(ratios, ROUNDS, sizeof *ratios, compare);
        printf("%s  %-28s %6zu bytes: %5.1f us of CPU a request, bare libmicrohttpd %5.1f us; ratio %.2f "
               "[%.2f-%.2f], goal %.1f\n", ratios[ROUNDS / 2] <= MOST ? "ok    " : "MISSED", gateway->path, bytes,
               median(ours), median(bare), ratios[ROUNDS / 2], ratios[ROUNDS / 4], ratios[ROUNDS * 3 / 4], MOST);
        return ratios[ROUNDS / 2] <= MOST;
}

int main(int argc, char **argv) {
        struct server gateway;
        bool met = true;

        if (argc < 5) {
                fprintf(stderr, "usage: http_load GATEWAY_PORT GATEWAY_PID HTTP_BARE PATH...\n");
                return 2;
        }
        signal(SIGPIPE, SIG_IGN);
        srand((unsigned) time(NULL));
        gateway.port = (unsigned) strtoul(argv[1], NULL, 10);
        gateway.pid = (pid_t) strtol(argv[2], NULL, 10);
        pin(gateway.pid, SERVER_CPU);
        pin(0, CLIENT_CPU);
        for (int i = 4; i < argc; i++) {
                gateway.path = argv[i];
                met &= measure(&gateway, argv[3]);
        }
        return met ? 0 : 1;
}
