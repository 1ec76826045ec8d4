// SPDX-License-Identifier: MIT
/*
 * xencheck.c: the command line, the loop over the checks, and what checks share: patterns, probes, asking the
 * peer.
 *
 *     xencheck peer DIR DOMID                       serves the runner in domain DOMID
 *     xencheck run [-m auto|pv|xenbox|xenbox-pv] [-f FILE] DIR DOMID [CHECK...]
 *                                                   checks against the peer in domain DOMID
 *
 * DIR is a folder of the store that both may write, such as /local/domain/3/data/xencheck.
 */
#include <config.h>

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/xen/src/xencheck.h"

#define ANSWER_MS 60000 /* that the peer has for one command, a wait for an event included */

const char *errno_name(int error)
{
    const char *name = error ? strerrorname_np(error) : "no error";

    return name ? name : "unknown errno";
}

static void quiet_vmessage(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                           const char *context, const char *format, va_list args)
{
}

static void quiet_progress(struct xentoollog_logger *logger, const char *context, const char *doing_what,
                           int percent, unsigned long done, unsigned long total)
{
}

static void quiet_destroy(struct xentoollog_logger *logger)
{
}

struct xentoollog_logger quiet = { quiet_vmessage, quiet_progress, quiet_destroy };

uint8_t pattern_byte(unsigned int seed, unsigned int page, unsigned int offset)
{
    return (seed * 97 + page * 31 + offset * 7 + offset / 256) % 255 + 1;
}

void pattern_fill(void *address, unsigned int seed, unsigned int page)
{
    uint8_t *byte = address;

    for (unsigned int i = 0; i < PAGE; i++)
        byte[i] = pattern_byte(seed, page, i);
}

bool pattern_matches(const void *address, unsigned int seed, unsigned int page)
{
    const volatile uint8_t *byte = address;

    for (unsigned int i = 0; i < PAGE; i++)
        if (byte[i] != pattern_byte(seed, page, i))
            return false;
    return true;
}

static sigjmp_buf probe_out;

static void probe_faulted(int signal)
{
    (void)signal;
    siglongjmp(probe_out, 1);
}

static bool probe(volatile uint8_t *byte, bool write)
{
    struct sigaction action = { .sa_handler = probe_faulted }, segv, bus;
    volatile bool ok = false;

    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    if (!sigsetjmp(probe_out, 1)) {
        uint8_t value = *byte;

        if (write)
            *byte = value;
        ok = true;
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return ok;
}

bool probe_read(const volatile void *address)
{
    return probe((volatile uint8_t *)address, false);
}

bool probe_write(volatile void *address)
{
    return probe(address, true);
}

evtchn_port_t event_wait(xenevtchn_handle *evtchn, int timeout_ms)
{
    struct pollfd pfd = { .fd = xenevtchn_fd(evtchn), .events = POLLIN };
    int port;

    if (poll(&pfd, 1, timeout_ms) <= 0)
        return 0;
    port = xenevtchn_pending(evtchn);
    return port < 0 ? 0 : port;
}

void check_fail(struct check_env *env, const char *file, int line, const char *fmt, ...)
{
    const char *base = strrchr(file, '/');
    va_list args;
    int length;

    if (env->failure[0])
        return;
    length = snprintf(env->failure, sizeof(env->failure), "%s:%d: ", base ? base + 1 : file, line);
    va_start(args, fmt);
    vsnprintf(env->failure + length, sizeof(env->failure) - length, fmt, args);
    va_end(args);
}

void check_note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    printf("figure: ");
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
}

static char answer_text[4096];

static void peer_exchange(struct check_env *env, const char *fmt, va_list args)
{
    char question[256];
    int ret;

    vsnprintf(question, sizeof(question), fmt, args);
    ret = link_send(&env->link, question);
    if (!ret)
        ret = link_receive(&env->link, answer_text, sizeof(answer_text), ANSWER_MS);
    if (ret) {
        check_fail(env, __FILE__, __LINE__, "peer, asked '%s': %s", question, errno_name(-ret));
        answer_text[0] = 0;
    }
}

const char *peer_try(struct check_env *env, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    peer_exchange(env, fmt, args);
    va_end(args);
    return answer_text;
}

const char *peer_ask(struct check_env *env, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    peer_exchange(env, fmt, args);
    va_end(args);
    if (strncmp(answer_text, "ok", 2)) {
        check_fail(env, __FILE__, __LINE__, "peer, asked '%s': %s", fmt, answer_text);
        return "";
    }
    return answer_text + 2 + (answer_text[2] == ' ');
}

struct share peer_share(struct check_env *env, uint32_t count, bool is_writable)
{
    struct share share = { .count = count };
    char *text = (char *)peer_ask(env, "share %u %d", count, is_writable);

    share.id = strtoul(text, &text, 10);
    for (uint32_t i = 0; i < count; i++)
        share.refs[i] = strtoul(text, &text, 10);
    return share;
}

void peer_unshare(struct check_env *env, const struct share *share)
{
    peer_ask(env, "unshare %u", share->id);
}

static bool check_selected(const char *name, char *const *patterns)
{
    if (!*patterns)
        return true;
    for (; *patterns; patterns++)
        if (!fnmatch(*patterns, name, 0))
            return true;
    return false;
}

static bool check_run(struct check_env *env, const struct check *check)
{
    env->failure[0] = 0;
    env->gnttab = xengnttab_open(&quiet, 0);
    env->evtchn = xenevtchn_open(&quiet, 0);
    if (!env->gnttab || !env->evtchn)
        check_fail(env, __FILE__, __LINE__, "cannot open gntdev and evtchn: %s", errno_name(errno));
    else
        peer_ask(env, "reset");
    if (!env->failure[0])
        check->fn(env);
    if (env->gnttab)
        xengnttab_close(env->gnttab);
    if (env->evtchn)
        xenevtchn_close(env->evtchn);
    if (env->failure[0])
        printf("not ok %s: %s\n", check->name, env->failure);
    else
        printf("ok %s\n", check->name);
    return !env->failure[0];
}

static int run(struct check_env *env, char *const *patterns)
{
    static const struct check *const lists[] = { check_map_list,   check_copy_list, check_event_list,
                                                 check_death_list, check_aio_list,  check_io_list,
                                                 check_hazard_list };
    int passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const bool needs_file = lists[i] == check_aio_list || lists[i] == check_hazard_list;

        if ((needs_file && !env->file) || (lists[i] == check_hazard_list && !*patterns))
            continue;
        for (const struct check *check = lists[i]; check->name; check++)
            if (check_selected(check->name, patterns)) {
                bool is_good = check_run(env, check);

                passed += is_good;
                failed += !is_good;
            }
    }
    if (!env->is_peer_gone)
        peer_ask(env, "quit");
    printf("%d ok, %d not ok\n", passed, failed);
    return failed || !passed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool memory_parse(const char *name, enum memory_kind *kind)
{
    static const char *const names[] = {
        [MEMORY_AUTOTRANSLATED] = "auto",
        [MEMORY_PV] = "pv",
        [MEMORY_XENBOX] = "xenbox",
        [MEMORY_XENBOX_PV] = "xenbox-pv",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name)) {
            *kind = (enum memory_kind)i;
            return true;
        }
    return false;
}

static int usage(void)
{
    fprintf(stderr, "usage: xencheck peer DIR DOMID\n"
                    "       xencheck run [-m auto|pv|xenbox|xenbox-pv] [-f FILE] DIR DOMID [CHECK...]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct check_env env = { .memory = MEMORY_AUTOTRANSLATED };
    bool is_peer;
    int option, ret;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || (strcmp(argv[1], "peer") && strcmp(argv[1], "run")))
        return usage();
    is_peer = !strcmp(argv[1], "peer");
    argc--;
    argv++;
    while ((option = getopt(argc, argv, "+m:f:")) != -1) {
        if (option == 'f')
            env.file = optarg;
        else if (option != 'm' || !memory_parse(optarg, &env.memory))
            return usage();
    }
    argc -= optind;
    argv += optind;
    if (argc < 2)
        return usage();
    env.domid = strtoul(argv[1], NULL, 10);
    ret = link_open(&env.link, argv[0], is_peer);
    if (ret < 0) {
        fprintf(stderr, "xencheck: no link over %s in the store: %s\n", argv[0], strerror(-ret));
        return EXIT_FAILURE;
    }
    if (is_peer) {
        ret = peer_serve(&env.link, env.domid);
        if (ret < 0)
            fprintf(stderr, "xencheck: peer: %s\n", strerror(-ret));
        ret = ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else {
        ret = run(&env, argv + 2);
    }
    link_close(&env.link);
    return ret;
}
