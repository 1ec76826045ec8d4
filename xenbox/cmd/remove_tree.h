// SPDX-License-Identifier: MIT
/* remove_tree.h: removes what is in a directory. */
#ifndef XENBOX_CMD_REMOVE_TREE_H
#define XENBOX_CMD_REMOVE_TREE_H

/*
 * Removes everything in dir but the entry that is called keep; dir itself stays. Follows no symbolic link. 0
 * or negative errno.
 */
int remove_tree(const char *dir, const char *keep);

#endif
