// SPDX-License-Identifier: MIT
/*
 * hostile_back.c: backends that break the rules, one a case, against the xenfront command: each case says with
 * which exit status and which words the frontend must end. It may neither crash nor hang, and must leave its end of
 * the device closed and unclaimed.
 *
 *     hostile_back FAMILY CASE DOMID COMMAND...  runs COMMAND FAMILY CASE'S-ARGUMENTS while it plays the backend
 *     hostile_back --list FAMILY                 names of the cases; FAMILY: blk or net
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hostile/hostile_back.h"

#define CASE_S 40 /* a case that takes longer has hung */
#define STORM_EVENTS 20000
#define MAX_ARGUMENTS 24

/* Answers the first request as given, then waits for the frontend to notice. */
static void answer_with(struct raw_back *back, uint64_t id_change, uint8_t operation_change, int16_t status)
{
    blkif_request_t request;

    back_connect(back);
    request = back_request(back);
    back_put(back, request.id ^ id_change, request.operation ^ operation_change, status);
    back_push(back);
}

static void unknown_id(struct raw_back *back)
{
    answer_with(back, 0x80, 0, BLKIF_RSP_OKAY);
    back_close(back);
}

static void idle_id(struct raw_back *back)
{
    answer_with(back, 0x1f, 0, BLKIF_RSP_OKAY);
    back_close(back);
}

static void stale_id(struct raw_back *back)
{
    answer_with(back, (uint64_t)1 << 40, 0, BLKIF_RSP_OKAY);
    back_close(back);
}

static void wrong_operation(struct raw_back *back)
{
    answer_with(back, 0, BLKIF_OP_DISCARD, BLKIF_RSP_OKAY);
    back_close(back);
}

static void odd_status(struct raw_back *back)
{
    answer_with(back, 0, 0, 77);
    back_serve(back);
}

static void error_status(struct raw_back *back)
{
    answer_with(back, 0, 0, BLKIF_RSP_ERROR);
    back_serve(back);
}

static void duplicate_id(struct raw_back *back)
{
    blkif_request_t request;

    back_connect(back);
    request = back_request(back);
    back_request(back);
    back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
    back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
    back_push(back);
    back_close(back);
}

static void producer_is(struct raw_back *back, RING_IDX producer)
{
    back_connect(back);
    back_request(back);
    back->page->rsp_prod = producer;
    back_notify(back);
    back_close(back);
}

static void producer_ahead(struct raw_back *back)
{
    producer_is(back, 100);
}

static void producer_back(struct raw_back *back)
{
    producer_is(back, UINT32_MAX);
}

static void scribble(struct raw_back *back)
{
    back_connect(back);
    back_request(back);
    memset(back->page, 0xff, 4096);
    back_notify(back);
    back_close(back);
}

/* Before anybody is connected, there is nothing to answer. */
static void early_response(struct raw_back *back)
{
    back_offer(back);
    back->page->rsp_prod = 1;
    back_notify(back);
    back_state(back, XenbusStateConnected);
    back_close(back);
}

static void never_offers(struct raw_back *back)
{
    back_publish(back);
}

static void never_connects(struct raw_back *back)
{
    back_offer(back);
}

static void never_answers(struct raw_back *back)
{
    back_connect(back);
    back_request(back);
    back_close(back);
}

static void never_closes(struct raw_back *back)
{
    back_connect(back);
    back_wait_front(back, 1u << XenbusStateClosed);
}

static void dies(struct raw_back *back)
{
    back_connect(back);
    back_request(back);
    back_let_go(back);
}

static void vanishes(struct raw_back *back)
{
    back_connect(back);
    back_request(back);
    back_remove(back, "");
    back_let_go(back);
}

static void vanishes_early(struct raw_back *back)
{
    back_offer(back);
    back_remove(back, "");
}

static void state_in_flight(struct raw_back *back, unsigned int state)
{
    back_connect(back);
    back_request(back);
    back_state(back, state);
}

/* The frontend waits for what is in flight, and gives up when nothing comes. */
static void closing_in_flight(struct raw_back *back)
{
    state_in_flight(back, XenbusStateClosing);
    back_close(back);
}

/* As an orderly detach: what is in flight is answered before the end. */
static void closing_answers(struct raw_back *back)
{
    blkif_request_t request;

    back_connect(back);
    request = back_request(back);
    back_state(back, XenbusStateClosing);
    back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
    while (back_has_request(back)) {
        request = back_request(back);
        back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
    }
    back_push(back);
    back_close(back);
}

static void closed_in_flight(struct raw_back *back)
{
    state_in_flight(back, XenbusStateClosed);
    back_wait_front(back, 1u << XenbusStateClosed);
}

static void restarts_in_flight(struct raw_back *back)
{
    state_in_flight(back, XenbusStateInitWait);
    back_close(back);
}

static void state_99(struct raw_back *back)
{
    state_in_flight(back, 99);
}

static void closing_at_once(struct raw_back *back)
{
    back_state(back, XenbusStateClosing);
}

static void refuses(struct raw_back *back)
{
    back_offer(back);
    back_state(back, XenbusStateClosing);
    back_close(back);
}

static void refuses_closed(struct raw_back *back)
{
    back_offer(back);
    back_let_go(back);
    back_state(back, XenbusStateClosed);
}

/* One key of the geometry is not what it should be; NULL: not there. */
static void geometry(struct raw_back *back, const char *key, const char *value)
{
    back_offer(back);
    if (value)
        back_write(back, key, "%s", value);
    else
        back_remove(back, key);
    back_state(back, XenbusStateConnected);
    back_close(back);
}

static void sector_size_513(struct raw_back *back)
{
    geometry(back, "sector-size", "513");
}

static void sector_size_1536(struct raw_back *back)
{
    geometry(back, "sector-size", "1536");
}

static void sector_size_huge(struct raw_back *back)
{
    geometry(back, "sector-size", "1048576");
}

static void sectors_absent(struct raw_back *back)
{
    geometry(back, "sectors", NULL);
}

static void sectors_negative(struct raw_back *back)
{
    geometry(back, "sectors", "-1");
}

static void sectors_huge(struct raw_back *back)
{
    geometry(back, "sectors", "18446744073709551615");
}

static void sectors_words(struct raw_back *back)
{
    geometry(back, "sectors", "8192 or so");
}

static void physical_odd(struct raw_back *back)
{
    geometry(back, "physical-sector-size", "700");
}

static void flag_yes(struct raw_back *back)
{
    geometry(back, "feature-flush-cache", "yes");
}

static void info_words(struct raw_back *back)
{
    geometry(back, "info", "cdrom");
}

/* Nonsense while connected changes nothing. */
static void resize_nonsense(struct raw_back *back)
{
    back_connect(back);
    back_write(back, "sectors", "much more");
    back_state(back, XenbusStateConnected);
    back_serve(back);
}

static void event_storm(struct raw_back *back)
{
    back_connect(back);
    back_request(back);
    back->ring.req_cons--;
    for (int i = 0; i < STORM_EVENTS; i++)
        back_notify(back);
    back_serve(back);
}

/* The grant is revoked by the frontend while it is mapped here; our mapping stays ours, theirs is not reused. */
static void keeps_mappings(struct raw_back *back)
{
    blkif_request_t request;
    void *kept;

    back_connect(back);
    request = back_request(back);
    kept = xengnttab_map_grant_ref(back->gnttab, back->domid, request.seg[0].gref, 3);
    if (!kept)
        back_fail("cannot map a data page: %s", strerror(errno));
    back_put(back, request.id, request.operation, BLKIF_RSP_OKAY);
    back_push(back);
    back_serve(back);
    memset(kept, 0xee, 4096);
    xengnttab_unmap(back->gnttab, kept, 1);
}

static void relative_backend(struct raw_back *back)
{
    back_front_write(back, "backend", "backend/vbd");
}

static void backend_id_huge(struct raw_back *back)
{
    back_front_write(back, "backend-id", "4294967295");
}

#define READ "read --quiet --out=/dev/null --block-size=64K --size=128K --depth=2"

static const struct hostile_back_case blk_cases[] = {
    { "unknown-id", unknown_id, READ, 1, "a slot below 32 expected" },
    { "idle-id", idle_id, READ, 1, "a request in flight expected" },
    { "stale-id", stale_id, READ, 1, "expected in slot" },
    { "duplicate-id", duplicate_id, READ, 1, "answered before" },
    { "wrong-operation", wrong_operation, READ, 1, "operation 0 expected, found 5" },
    { "odd-status", odd_status, READ, 1, "Input/output error" },
    { "error-status", error_status, READ, 1, "Input/output error" },
    { "producer-ahead", producer_ahead, READ, 1, "responses expected, found 100" },
    { "producer-back", producer_back, READ, 1, "responses expected, found 4294967295" },
    { "scribble", scribble, READ, 1, "the backend broke the ring" },
    { "early-response", early_response, READ, 1, "the backend broke the ring" },
    { "never-offers", never_offers, READ " --timeout=1", 3, "no connection in time.*found Initialising" },
    { "never-connects", never_connects, READ " --timeout=1", 3, "no connection in time.*found InitWait" },
    { "never-answers", never_answers, READ " --io-timeout=1", 1, "no response to" },
    { "never-closes", never_closes, "info --timeout=5", 3, "closed by force.*found Connected" },
    { "dies", dies, READ " --io-timeout=1 --timeout=5", 1, "no response to" },
    { "vanishes", vanishes, READ, 1, "the device was removed" },
    { "vanishes-early", vanishes_early, READ, 3, "the device was removed" },
    { "closing-in-flight", closing_in_flight, READ " --io-timeout=1", 1, "no response to" },
    { "closing-answers", closing_answers, READ " --size=1M", 1, "the backend closes the device" },
    { "closed-in-flight", closed_in_flight, READ, 1, "dropped the connection.*found Closed" },
    { "restarts-in-flight", restarts_in_flight, READ, 1, "dropped the connection.*found InitWait" },
    { "state-99", state_99, READ, 1, "a state from 0 to 8 expected, found '99'" },
    { "closing-at-once", closing_at_once, READ " --timeout=1", 3, "no connection in time.*found Closing" },
    { "refuses", refuses, READ, 3, "refused the connection.*found Closing" },
    { "refuses-closed", refuses_closed, READ, 3, "refused the connection.*found Closed" },
    { "sector-size-513", sector_size_513, READ, 3, "sector-size: a power of two .*found 513" },
    { "sector-size-1536", sector_size_1536, READ, 3, "sector-size: a power of two .*found 1536" },
    { "sector-size-huge", sector_size_huge, READ, 3,
      "sector-size: a number from 512 to 4096 .*found '1048576'" },
    { "sectors-absent", sectors_absent, READ, 3, "found no key .*sectors" },
    { "sectors-negative", sectors_negative, READ, 3, "sectors: a number .*found '-1'" },
    { "sectors-huge", sectors_huge, READ, 3, "sectors: a number .*found '18446744073709551615'" },
    { "sectors-words", sectors_words, READ, 3, "sectors: a number .*found '8192 or so'" },
    { "physical-odd", physical_odd, READ, 3, "physical-sector-size: a multiple .*found 700" },
    { "flag-yes", flag_yes, READ, 3, "feature-flush-cache: 0 or 1 expected, found 'yes'" },
    { "info-words", info_words, READ, 3, "info: a number of flags expected, found 'cdrom'" },
    { "resize-nonsense", resize_nonsense, READ, 0, "" },
    { "event-storm", event_storm, READ, 0, "" },
    { "keeps-mappings", keeps_mappings, READ, 0, "" },
    { "relative-backend", relative_backend, READ, 3, "an absolute path expected, found 'backend/vbd'" },
    { "backend-id-huge", backend_id_huge, READ, 3, "a domain number expected" },
};

#define BLK_CASES (sizeof(blk_cases) / sizeof(blk_cases[0]))

static const struct family {
    const char *name; /* of the command */
    const char *kind; /* of the device */
    unsigned int devid;
    const struct hostile_back_case *cases;
    const size_t *count;
} families[] = {
    { "blk", "vbd", 51712, blk_cases, &(const size_t){ BLK_CASES } },
    { "net", "vif", 0, hostile_net_back_cases, &hostile_net_back_count },
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

/* Starts the frontend; its standard error is to be read from *output. */
static pid_t frontend_start(const struct family *family, const struct hostile_back_case *hostile,
                            char **command, int *output)
{
    static char text[256];
    char *argv[MAX_ARGUMENTS];
    int ends[2], argc = 0;
    pid_t pid;

    while (command[argc] && argc < MAX_ARGUMENTS - 12) {
        argv[argc] = command[argc];
        argc++;
    }
    snprintf(text, sizeof(text), "%s %s %u", family->name, hostile->arguments, family->devid);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    if (pipe(ends) < 0 || (pid = fork()) < 0)
        back_fail("cannot start the frontend: %s", strerror(errno));
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    *output = ends[0];
    return pid;
}

/* Words match when the parts around ".*" follow each other. */
static bool says(const char *text, const char *words)
{
    char part[128];

    while (*words) {
        const char *end = strstr(words, ".*");
        size_t length = end ? (size_t)(end - words) : strlen(words);

        snprintf(part, sizeof(part), "%.*s", (int)length, words);
        text = strstr(text, part);
        if (!text)
            return false;
        text += length;
        words += length + (end ? 2 : 0);
    }
    return true;
}

static void frontend_judge(const struct hostile_back_case *hostile, pid_t pid, int output)
{
    char said[4096];
    size_t used = 0;
    ssize_t got;
    int status;

    while (used < sizeof(said) - 1 && (got = read(output, said + used, sizeof(said) - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = '\0';
    if (waitpid(pid, &status, 0) != pid)
        back_fail("the frontend is gone");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != hostile->status)
        back_fail("the frontend ended with %#x, expected exit status %d; it said: %s", status,
                  hostile->status, said);
    if (!says(said, hostile->words))
        back_fail("the frontend said: %s; expected: %s", said, hostile->words);
}

/* What the frontend leaves in the store. */
static void leavings_judge(struct raw_back *back)
{
    char *state = back_front_read(back, "state");
    char *owner = back_front_read(back, "xenfront-owner");

    if (state && strcmp(state, "6") && strcmp(state, "1"))
        back_fail("the frontend left its state at %s", state);
    if (owner)
        back_fail("the frontend left its claim: %s", owner);
    free(state);
}

static void on_alarm(int number)
{
    static const char text[] = "hostile_back: hangs\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)ignored;
    _exit(1);
}

static void run(const struct family *family, const struct hostile_back_case *hostile, unsigned int domid,
                char **command)
{
    struct raw_back back;
    int output;
    pid_t pid;

    signal(SIGALRM, on_alarm);
    alarm(CASE_S);
    back_create(&back, family->kind, domid, family->devid);
    pid = frontend_start(family, hostile, command, &output);
    hostile->play(&back);
    frontend_judge(hostile, pid, output);
    leavings_judge(&back);
    back_destroy(&back);
}

int main(int argc, char **argv)
{
    bool is_list = argc == 3 && strcmp(argv[1], "--list") == 0;

    if (!is_list && argc < 5)
        back_fail("usage: hostile_back FAMILY CASE DOMID COMMAND... | hostile_back --list FAMILY");
    for (size_t i = 0; i < FAMILIES; i++) {
        const struct family *family = &families[i];

        if (strcmp(family->name, argv[is_list ? 2 : 1]) != 0)
            continue;
        for (size_t j = 0; j < *family->count; j++) {
            if (is_list) {
                puts(family->cases[j].name);
            } else if (strcmp(family->cases[j].name, argv[2]) == 0) {
                run(family, &family->cases[j], (unsigned int)strtoul(argv[3], NULL, 10), argv + 4);
                return 0;
            }
        }
    }
    if (!is_list)
        back_fail("no case is called %s", argv[2]);
    return 0;
}
