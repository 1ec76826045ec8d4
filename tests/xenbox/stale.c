// SPDX-License-Identifier: MIT
/*
 * stale.c: a program of a guest that keeps a pointer to a page for longer than it should, in one of these ways:
 *
 *   unmapped  reads a page where it was shared: ends by SIGSEGV
 *   read      has a second mapping, and reads through it what a freed page holds: prints its first and its last byte
 *   write     writes through it
 *   next      writes through it, and then takes pages until every free one has been given out: each must be empty
 */
#include <config.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xengnttab.h>

#define PAGE 4096u
#define SHARED 1000
#define ROUNDS 70 /* all of the 65,536 frames that a small box has in rotation come by */
#define WRITTEN 100 /* byte of the page */

static int die(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static int take_all(xengntshr_handle *shr)
{
    static uint32_t refs[SHARED];
    static const char zeros[PAGE];

    for (int round = 0; round < ROUNDS; round++) {
        char *pages = xengntshr_share_pages(shr, 0, SHARED, refs, 1);

        if (!pages)
            return die("xengntshr_share_pages");
        for (int i = 0; i < SHARED; i++) {
            if (memcmp(pages + i * PAGE, zeros, PAGE) != 0) {
                fprintf(stderr, "a page is given out that is not empty\n");
                return EXIT_FAILURE;
            }
        }
        xengntshr_unshare(shr, pages, SHARED);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *how = argc == 2 ? argv[1] : "";
    xengntshr_handle *shr = xengntshr_open(NULL, 0);
    uint32_t ref;
    char *page = shr ? xengntshr_share_pages(shr, 0, 1, &ref, 1) : NULL;
    volatile char *stale = page ? mremap(page, 0, PAGE, MREMAP_MAYMOVE) : MAP_FAILED;

    if (stale == MAP_FAILED)
        return die("cannot share a page");
    memset(page, 'x', PAGE);
    xengntshr_unshare(shr, page, 1);
    if (strcmp(how, "unmapped") == 0)
        return *(volatile char *)page;
    if (strcmp(how, "read") == 0)
        printf("%02x %02x\n", (unsigned char)stale[0], (unsigned char)stale[PAGE - 1]);
    else
        stale[WRITTEN] = 'y';
    return strcmp(how, "next") == 0 ? take_all(shr) : EXIT_SUCCESS;
}
