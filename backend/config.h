// SPDX-License-Identifier: MIT
/*
 * config.h: the settings of xensplitd. One table in config.c gives each setting its name, type, default, bounds
 * and help; command line, configuration file, --help and the manual page all come from it. Settings are read
 * once, before any thread starts, and do not change afterwards: any thread may read them.
 */
#ifndef XENSPLIT_BACKEND_CONFIG_H
#define XENSPLIT_BACKEND_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_PATH_MAX 96 /* short, since sockets live below the run directory */

/* In the order of the words that the table gives for them. */
enum engine_kind { ENGINE_AUTO, ENGINE_IO_URING, ENGINE_LIBAIO };
enum direct_mode { DIRECT_AUTO, DIRECT_ON, DIRECT_OFF };
enum data_method_setting { DATA_METHOD_AUTO, DATA_METHOD_COPY, DATA_METHOD_PERSISTENT, DATA_METHOD_MAP };
enum notify_mode { NOTIFY_EVENTS, NOTIFY_POLLING };
enum mapped_io_setting { MAPPED_IO_AUTO, MAPPED_IO_ON, MAPPED_IO_OFF };
enum exit_mode { EXIT_CLOSE, EXIT_KEEP };

struct config {
    unsigned int workers; /* threads that own queues */
    unsigned int offload_threads; /* for what may block */
    unsigned int spin_us; /* how long a queue looks again before its worker sleeps */
    unsigned int notify; /* enum notify_mode: of devices that connect */
    unsigned int engine; /* enum engine_kind */
    char engine_faults[CONFIG_PATH_MAX]; /* for tests: disk/faults.h */
    unsigned int direct; /* enum direct_mode: O_DIRECT */
    unsigned int data_method; /* enum data_method_setting */
    unsigned int mapped_io; /* enum mapped_io_setting */
    unsigned int persistent_pages; /* that may be kept mapped, of all devices together */
    unsigned int persistent_pages_guest; /* of one guest's devices together; 0: a quarter */
    unsigned int on_exit; /* enum exit_mode: what SIGTERM does to connected devices */
    unsigned int exit_timeout_s; /* how long a drain may take; 0: for ever */
    unsigned int store_check_s; /* how often the store is asked whether it is there; 0: never */
    unsigned int log_level; /* enum log_level */
    unsigned int log_time; /* bool */
    unsigned int ready_fd; /* gets a line when the daemon serves; 0: none */
    unsigned int vif_drain_ms; /* how long a guest may take no frame before its frames are dropped */
    char vif_port[CONFIG_PATH_MAX]; /* of a vif that has no `port` node */
    char run_dir[CONFIG_PATH_MAX]; /* exists, mode 0700, locked by this daemon */
};

enum config_verdict { CONFIG_RUN, CONFIG_EXIT_OK, CONFIG_EXIT_USAGE };

/*
 * Reads the command line and the configuration file that it names (or the default one, if it exists). Prints
 * what was asked for (--help, --version) or what is wrong (file, line, expected, found) itself.
 */
enum config_verdict config_init(int argc, char **argv);
const struct config *config_get(void);

/* Parts of config_init, for the tests and the manual page. */
void config_set_defaults(struct config *config);
/* 0, or -EINVAL and what was expected and found in reason. */
int config_set(struct config *config, const char *name, const char *value, char *reason, size_t reason_size);
/* "name = value" lines, '#' comments. 0, or -errno with "file:line: ..." in reason. */
int config_read(struct config *config, FILE *file, const char *file_name, char *reason, size_t reason_size);
void config_print_help(FILE *out);
void config_print_manual(FILE *out); /* the settings as roff, for xensplitd.conf(5) */

#endif
