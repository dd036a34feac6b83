#include "tools/simulate_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/units.h"

static void acknowledge(struct simulation *s, const char *error) {
        struct json_writer w;

        json_begin(&w, &s->line);
        json_object_begin(&w, NULL);
        json_put_string(&w, "command", s->command);
        json_put_bool(&w, "ok", error == NULL);
        if (error)
                json_put_string(&w, "error", error);
        json_object_end(&w);
        simulate_write_line(s);
}

const char *simulate_duration_of(const char *text, uint64_t *ret_ms) {
        if (units_parse_duration_ms(text, ret_ms) < 0 || *ret_ms > UINT32_MAX)
                return "expected a duration such as 10s";
        return NULL;
}

static const char *quit(struct simulation *s) {
        sd_event_exit(s->event, 0);
        return NULL;
}

static void explain(const struct simulation *s, char *buf, size_t size) {
        size_t n = (size_t) snprintf(buf, size, "unknown command; expected ");

        for (const struct simulate_command *c = s->commands; c->name && n < size; c++)
                n += (size_t) snprintf(buf + n, size - n, "%s%s", c->name, c[1].name ? ", " : " or quit");
}

/* A NULL follows the last word. error holds what is returned where no constant does. */
static const char *run_words(struct simulation *s, char **words, unsigned n, char error[SIMULATE_COMMAND_MAX]) {
        if (strcmp(words[0], "quit") == 0)
                return n == 1 ? quit(s) : "wrong number of words";
        for (const struct simulate_command *c = s->commands; c->name; c++)
                if (strcmp(words[0], c->name) == 0) {
                        if (n - 1 < c->min_args || n - 1 > c->max_args)
                                return "wrong number of words";
                        return c->run(s, words + 1);
                }
        explain(s, error, SIMULATE_COMMAND_MAX);
        return error;
}

static void run_command(struct simulation *s) {
        char copy[SIMULATE_COMMAND_MAX], error[SIMULATE_COMMAND_MAX];
        char *rest = copy, *word, *words[SIMULATE_WORDS_MAX + 1];
        unsigned n = 0;

        s->command[s->command_len] = '\0';
        if (s->too_long) {
                acknowledge(s, "line too long");
                return;
        }
        memcpy(copy, s->command, s->command_len + 1);
        while ((word = strsep(&rest, " \t\r")) && n < SIMULATE_WORDS_MAX)
                if (*word)
                        words[n++] = word;
        words[n] = NULL;
        if (n > 0)
                acknowledge(s, run_words(s, words, n, error));
}

static void take_command_bytes(struct simulation *s, const char *bytes, size_t len) {
        for (size_t i = 0; i < len; i++) {
                if (bytes[i] == '\n') {
                        run_command(s);
                        s->command_len = 0;
                        s->too_long = false;
                } else if (s->command_len < sizeof s->command - 1) {
                        s->command[s->command_len++] = bytes[i];
                } else {
                        s->too_long = true;
                }
        }
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct simulation *s = userdata;
        char bytes[SIMULATE_COMMAND_MAX];
        ssize_t n = read(fd, bytes, sizeof bytes);

        (void) revents;
        if (n > 0)
                take_command_bytes(s, bytes, (size_t) n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

/* A file cannot be waited for and need not be: it is read at once. */
static void read_command_file(struct simulation *s) {
        char bytes[SIMULATE_COMMAND_MAX];
        ssize_t n;

        while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
                take_command_bytes(s, bytes, (size_t) n);
}

int simulate_watch_commands(struct simulation *s) {
        int r = sd_event_add_io(s->event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, s);

        if (r == -EPERM) {
                read_command_file(s);
                return 0;
        }
        return r == -EBADF ? 0 : r;
}
