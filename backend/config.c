// SPDX-License-Identifier: MIT
/*
 * config.c: the table of settings and everything that is made from it.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xenbus.h"
#include "backend/config.h"

#define CONFIG_FILE SYSCONFDIR "/xensplit/xensplitd.conf"
#define LINE_MAX_BYTES 1024

enum setting_type { SETTING_NUMBER, SETTING_CHOICE, SETTING_PATH, SETTING_WORD };

static const struct setting {
    const char *name;
    enum setting_type type;
    size_t offset; /* of an unsigned int, or of a char[CONFIG_PATH_MAX], in struct config */
    const char *initial;
    const char *unit; /* SETTING_NUMBER: what is counted */
    unsigned int min, max; /* SETTING_NUMBER */
    const char *choices; /* SETTING_CHOICE: "a|b|c", stored as 0, 1, 2 */
    bool is_option_only; /* makes no sense in a file */
    const char *help;
} settings[] = {
    { .name = "workers",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, workers),
      .initial = "0",
      .unit = "threads",
      .max = 64,
      .help = "Threads that serve queues. 0: one a CPU, but 2 at least and 16 at most." },
    { .name = "offload-threads",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, offload_threads),
      .initial = "4",
      .unit = "threads",
      .min = 1,
      .max = 64,
      .help = "Threads for what may block: opening images, buffered I/O." },
    { .name = "spin",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, spin_us),
      .initial = "20",
      .unit = "microseconds",
      .max = 1000,
      .help = "How long at most a worker looks at an idle ring again before it sleeps, while that pays. 0: never." },
    { .name = "notify",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, notify),
      .initial = "events",
      .choices = "events|polling",
      .help = "How a worker learns of requests. events: the guest notifies. polling: rings are looked at all the "
              "time, the guest need not notify, and each worker with a connected device keeps a CPU busy. For single "
              "devices see poll and events of xensplit." },
    { .name = "engine",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, engine),
      .initial = "auto",
      .choices = "auto|io_uring|libaio",
      .help = "How files are read and written. auto: io_uring where the system allows it, else libaio." },
    { .name = "engine-faults",
      .type = SETTING_WORD,
      .offset = offsetof(struct config, engine_faults),
      .initial = "none",
      .is_option_only = true,
      .help = "For tests: engines misbehave. none, or a list of short=N, again=N, error=N (every Nth transfer moves "
              "a part only, is interrupted, fails), slow=US (completions come up to so much late), keep=US (for so "
              "long somebody else refers to the pages)." },
    { .name = "direct",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, direct),
      .initial = "auto",
      .choices = "auto|on|off",
      .help = "O_DIRECT for images. auto: where the file takes it; on: refuse files that do not." },
    { .name = "data-method",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, data_method),
      .initial = "auto",
      .choices = "auto|copy|persistent|map",
      .help = "How data gets from and to the guests' pages. copy: the hypervisor copies. persistent: pages are mapped "
              "once and kept where the frontend offers it, else copied. auto: what is best here, persistent at "
              "present. map: pages are mapped and unmapped for each piece of data, for tests only." },
    { .name = "mapped-io",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, mapped_io),
      .initial = "auto",
      .choices = "auto|on|off",
      .help = "Whether files are read and written straight to and from mapped pages of guests, without a copy. Only "
              "where engine = libaio is set, and with a data method that maps. auto: where a try at the "
              "start, with a grant to this domain itself, went right. on: without a try, for tests." },
    { .name = "persistent-pages",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, persistent_pages),
      .initial = "32768",
      .unit = "pages",
      .max = 1048576,
      .help = "How many pages of guests at most are kept mapped, of all devices together. What is beyond is copied. "
              "Each may take one of the process's mappings (vm.max_map_count). The last quarter is for guests that "
              "have less than 352 pages mapped, which is what a disk needs without indirect segments." },
    { .name = "persistent-pages-guest",
      .offset = offsetof(struct config, persistent_pages_guest),
      .initial = "0",
      .unit = "pages",
      .max = 1048576,
      .help = "How many of these pages one guest may have, with all its disks. 0: a quarter of persistent-pages, and "
              "no less than 352. A disk uses up to 1056." },
    { .name = "on-exit",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, on_exit),
      .initial = "close",
      .choices = "close|keep",
      .help = "What SIGTERM does to devices after their I/O has ended. close: the frontends are told (states "
              "Closing, Closed). keep: they are not, and wait until the next daemon serves their rings on." },
    { .name = "exit-timeout",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, exit_timeout_s),
      .initial = "30",
      .unit = "seconds",
      .max = 86400,
      .help = "How long I/O in flight may hold up the exit. 0: for ever." },
    { .name = "vif-port",
      .type = SETTING_WORD,
      .offset = offsetof(struct config, vif_port),
      .initial = "tap",
      .help = "Where the frames of a vif go that has no node `port`: tap, null, generator or socket:PATH." },
    { .name = "vif-drain",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, vif_drain_ms),
      .initial = "10000",
      .unit = "milliseconds",
      .min = 1,
      .max = 3600000,
      .help = "How long a guest may leave frames waiting. Then they are dropped until it takes some again." },
    { .name = "run-dir",
      .type = SETTING_PATH,
      .offset = offsetof(struct config, run_dir),
      .initial = "/run/xensplit",
      .help =
          "Directory for the lock and the records of what is in flight. Made with mode 0700. One daemon has "
          "it at a time." },
    { .name = "store-check",
      .offset = offsetof(struct config, store_check_s),
      .initial = "60",
      .unit = "seconds",
      .max = 86400,
      .help = "How often xenstored is asked whether it still answers, since a connection that has died may say "
              "nothing. 0: never." },
    { .name = "log-level",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, log_level),
      .initial = "info",
      .choices = "error|warning|info|debug",
      .help = "The least important lines that are written." },
    { .name = "log-time",
      .type = SETTING_CHOICE,
      .offset = offsetof(struct config, log_time),
      .initial = "off",
      .choices = "off|on",
      .help = "Put the local time in front of each line. Not under journald, which has its own." },
    { .name = "ready-fd",
      .type = SETTING_NUMBER,
      .offset = offsetof(struct config, ready_fd),
      .initial = "0",
      .unit = "descriptor",
      .max = INT_MAX,
      .is_option_only = true,
      .help = "Write the line \"ready\" to this descriptor and close it once devices are served. 0: none." },
};

#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

static struct config config;

/* An option is its setting's index plus this; the other options are letters. */
#define OPTION_BASE 256

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    }
    return NULL;
}

/* The index of word in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word)
{
    const size_t len = strlen(word);

    for (int i = 0;; i++) {
        const size_t span = strcspn(choices, "|");
        if (span == len && memcmp(choices, word, len) == 0)
            return i;
        if (choices[span] == '\0')
            return -1;
        choices += span + 1;
    }
}

static int set_number(const struct setting *s, unsigned int *field, const char *value, char *reason,
                      size_t size)
{
    uint64_t number;

    if (xenbus_parse_u64(value, strlen(value), s->min, s->max, &number) < 0) {
        snprintf(reason, size, "%s: expected a number from %u to %u, found \"%s\"", s->name, s->min, s->max,
                 value);
        return -EINVAL;
    }
    *field = number;
    return 0;
}

static int set_choice(const struct setting *s, unsigned int *field, const char *value, char *reason,
                      size_t size)
{
    int index = choice_index(s->choices, value);

    if (index < 0) {
        snprintf(reason, size, "%s: expected %s, found \"%s\"", s->name, s->choices, value);
        return -EINVAL;
    }
    *field = index;
    return 0;
}

static int set_path(const struct setting *s, char *field, const char *value, char *reason, size_t size)
{
    if (value[0] != '/' || strlen(value) >= CONFIG_PATH_MAX) {
        snprintf(reason, size, "%s: expected an absolute path of at most %d bytes, found \"%s\"", s->name,
                 CONFIG_PATH_MAX - 1, value);
        return -EINVAL;
    }
    strcpy(field, value);
    return 0;
}

static int set_word(const struct setting *s, char *field, const char *value, char *reason, size_t size)
{
    if (value[0] == '\0' || strlen(value) >= CONFIG_PATH_MAX) {
        snprintf(reason, size, "%s: expected a word of at most %d bytes, found \"%s\"", s->name,
                 CONFIG_PATH_MAX - 1, value);
        return -EINVAL;
    }
    strcpy(field, value);
    return 0;
}

static int set_value(struct config *c, const struct setting *s, const char *value, char *reason, size_t size)
{
    void *field = (char *)c + s->offset;

    switch (s->type) {
    case SETTING_NUMBER:
        return set_number(s, field, value, reason, size);
    case SETTING_CHOICE:
        return set_choice(s, field, value, reason, size);
    case SETTING_PATH:
        return set_path(s, field, value, reason, size);
    case SETTING_WORD:
        return set_word(s, field, value, reason, size);
    }
    return -EINVAL;
}

int config_set(struct config *c, const char *name, const char *value, char *reason, size_t reason_size)
{
    const struct setting *s = find_setting(name);

    if (!s) {
        snprintf(reason, reason_size, "expected the name of a setting, found \"%s\"", name);
        return -EINVAL;
    }
    return set_value(c, s, value, reason, reason_size);
}

void config_set_defaults(struct config *c)
{
    char reason[256];

    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        set_value(c, &settings[i], settings[i].initial, reason, sizeof(reason));
}

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* line: changed. 0, or -EINVAL and why. */
static int read_line(struct config *c, char *line, char *reason, size_t size)
{
    char *value;
    char *name;
    const struct setting *s;

    line[strcspn(line, "#")] = '\0';
    name = trim(line);
    if (name[0] == '\0')
        return 0;
    value = strchr(name, '=');
    if (!value) {
        snprintf(reason, size, "expected \"name = value\", found \"%s\"", name);
        return -EINVAL;
    }
    *value++ = '\0';
    name = trim(name);
    value = trim(value);
    s = find_setting(name);
    if (s && s->is_option_only) {
        snprintf(reason, size, "%s: expected on the command line only, found in a file", name);
        return -EINVAL;
    }
    return config_set(c, name, value, reason, size);
}

/*
 * fgets() says nothing about a zero byte in a line; but what lies behind the end that it writes is as it was
 * before, and holds no zero.
 */
static bool has_zero(const char *line, size_t size)
{
    const char *end = memchr(line, '\0', size);

    return end == line || memchr(end + 1, '\0', line + size - (end + 1));
}

int config_read(struct config *c, FILE *file, const char *file_name, char *reason, size_t reason_size)
{
    char line[LINE_MAX_BYTES];
    char what[512];

    for (unsigned int number = 1; fgets(memset(line, '\n', sizeof(line)), sizeof(line), file); number++) {
        int error = 0;
        if (has_zero(line, sizeof(line))) {
            snprintf(what, sizeof(what), "expected text, found a zero byte");
            error = -EINVAL;
        } else if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
            snprintf(what, sizeof(what), "expected at most %zu bytes in a line, found more",
                     sizeof(line) - 2);
            error = -EINVAL;
        }
        if (error == 0)
            error = read_line(c, line, what, sizeof(what));
        if (error < 0) {
            snprintf(reason, reason_size, "%s:%u: %s", file_name, number, what);
            return error;
        }
    }
    if (ferror(file)) {
        snprintf(reason, reason_size, "%s: %s", file_name, strerror(errno));
        return -EIO;
    }
    return 0;
}

/* The file that was asked for must be there, the default one need not. */
static int read_file(struct config *c, const char *path, char *reason, size_t size)
{
    const char *name = path ? path : CONFIG_FILE;
    FILE *file = fopen(name, "re");
    int error;

    if (!file && !path && errno == ENOENT)
        return 0;
    if (!file) {
        error = -errno;
        snprintf(reason, size, "%s: %s", name, strerror(errno));
        return error;
    }
    error = config_read(c, file, name, reason, size);
    fclose(file);
    return error;
}

/* "NUMBER", "a|b", "PATH": what stands behind the equals sign. */
static const char *setting_operand(const struct setting *s)
{
    static const char *const words[] = {
        [SETTING_NUMBER] = "NUMBER", [SETTING_PATH] = "PATH", [SETTING_WORD] = "WORD"
    };

    return s->type == SETTING_CHOICE ? s->choices : words[s->type];
}

/* Text in lines of at most width columns from the present one on, each new line indented. */
static void print_wrapped(FILE *out, const char *text, int indent, int width)
{
    int column = indent;

    while (*text) {
        const int len = strcspn(text, " ");
        if (column > indent && column + 1 + len > width) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", len, text);
        column += len;
        text += len + (text[len] == ' ');
    }
    fputc('\n', out);
}

void config_print_help(FILE *out)
{
    fprintf(out, "Usage: xensplitd [OPTION]...\n"
                 "Serve the virtual disks of this domain's guests over granted memory.\n\n"
                 "  -c, --config=FILE\n"
                 "                        Read settings from FILE instead of\n"
                 "                        " CONFIG_FILE "\n"
                 "  -h, --help            Show this text\n"
                 "  -V, --version         Show the version\n\n"
                 "Settings, as options or as \"name = value\" lines in the file; options win:\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        fprintf(out, "      --%s=%s\n%*s", s->name, setting_operand(s), 24, "");
        print_wrapped(out, s->help, 24, 80);
        fprintf(out, "%*s(default: %s)\n", 24, "", s->initial);
    }
}

/* roff takes a hyphen-minus for a hyphen unless told otherwise. */
static void print_roff(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputc('\\', out);
        fputc(*text, out);
    }
}

void config_print_manual(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        fputs(".TP\n.B ", out);
        print_roff(out, s->name);
        fputs("\n", out);
        print_roff(out, s->help);
        fputs("\n.br\n", out);
        if (s->type == SETTING_NUMBER)
            fprintf(out, "A number from %u to %u (%s)", s->min, s->max, s->unit);
        else
            fprintf(out, "%s",
                    s->type == SETTING_PATH   ? "An absolute path"
                    : s->type == SETTING_WORD ? "A word"
                                              : s->choices);
        fputs("; default ", out);
        print_roff(out, s->initial);
        fputs(s->is_option_only ? ". Only as an option.\n" : ".\n", out);
    }
}

static enum config_verdict fail_usage(const char *reason)
{
    fprintf(stderr, "xensplitd: %s\nTry \"xensplitd --help\".\n", reason);
    return CONFIG_EXIT_USAGE;
}

enum config_verdict config_init(int argc, char **argv)
{
    static const char short_options[] = "c:hV";
    struct option options[SETTING_COUNT + 4] = {
        { "config", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
    };
    const char *path = NULL;
    char reason[768];
    int option;

    for (size_t i = 0; i < SETTING_COUNT; i++)
        options[3 + i] = (struct option){ settings[i].name, required_argument, NULL, OPTION_BASE + i };
    config_set_defaults(&config);

    /* Twice: first for the file's name, since options win over the file. */
    optind = 1;
    while ((option = getopt_long(argc, argv, short_options, options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'h':
            config_print_help(stdout);
            return CONFIG_EXIT_OK;
        case 'V':
            puts("xensplitd (" PACKAGE_NAME ") " PACKAGE_VERSION);
            return CONFIG_EXIT_OK;
        case '?':
            return fail_usage("the options are wrong");
        }
    }
    if (optind < argc) {
        snprintf(reason, sizeof(reason), "expected options only, found \"%s\"", argv[optind]);
        return fail_usage(reason);
    }
    if (read_file(&config, path, reason, sizeof(reason)) < 0)
        return fail_usage(reason);

    optind = 1;
    while ((option = getopt_long(argc, argv, short_options, options, NULL)) != -1) {
        if (option < OPTION_BASE)
            continue;
        if (set_value(&config, &settings[option - OPTION_BASE], optarg, reason, sizeof(reason)) < 0)
            return fail_usage(reason);
    }
    return CONFIG_RUN;
}

const struct config *config_get(void)
{
    return &config;
}
