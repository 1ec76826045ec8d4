// SPDX-License-Identifier: MIT
/*
 * tap.c: see tap.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/tools/tap.h"

static int complain(int err, const char *name, const char *what)
{
    const char *advice = "";

    if (err == -EPERM || err == -EACCES)
        advice = ": this needs root, or CAP_NET_ADMIN, in this network namespace";
    else if (err == -EBUSY)
        advice = ": the name is in use";
    else if (err == -EINVAL || err == -EEXIST)
        advice = ": it must be free, or a TAP device with one queue";
    else if (err == -ENOENT || err == -ENODEV)
        advice = ": is the module tun loaded?";
    fprintf(stderr, "xenfront: TAP device %s: %s: %s%s\n", name, what, strerror(-err), advice);
    return err;
}

int tap_open(struct tap *tap, const char *name, const struct tap_offloads *offloads)
{
    struct ifreq ifreq = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    unsigned int flags = (offloads->has_csum ? TUN_F_CSUM : 0) |
                         (offloads->has_csum && offloads->has_tso4 ? TUN_F_TSO4 | TUN_F_TSO_ECN : 0) |
                         (offloads->has_csum && offloads->has_tso6 ? TUN_F_TSO6 | TUN_F_TSO_ECN : 0);
    int err;

    tap->fd = -1;
    if (!name[0] || strlen(name) >= sizeof(ifreq.ifr_name))
        return complain(-ENAMETOOLONG, name, "a name of 1 to 15 characters expected");
    strcpy(ifreq.ifr_name, name);
    tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0)
        return complain(-errno, name, "/dev/net/tun");
    if (ioctl(tap->fd, TUNSETIFF, &ifreq) < 0) {
        err = complain(-errno, name, "cannot make it");
        goto fail;
    }
    memcpy(tap->name, ifreq.ifr_name, sizeof(tap->name));
    if (ioctl(tap->fd, TUNSETOFFLOAD, (unsigned long)flags) < 0) {
        err = complain(-errno, tap->name, "cannot set its offloads");
        goto fail;
    }
    return 0;
fail:
    tap_close(tap);
    return err;
}

int tap_configure(const struct tap *tap, const uint8_t *mac, uint32_t mtu)
{
    struct ifreq ifreq = { 0 };
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

    if (control < 0)
        return complain(-errno, tap->name, "cannot get a socket");
    memcpy(ifreq.ifr_name, tap->name, sizeof(tap->name));
    if (mac) {
        ifreq.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(ifreq.ifr_hwaddr.sa_data, mac, 6);
        if (ioctl(control, SIOCSIFHWADDR, &ifreq) < 0)
            err = complain(-errno, tap->name, "cannot set its address");
    }
    ifreq.ifr_mtu = (int)mtu;
    if (!err && ioctl(control, SIOCSIFMTU, &ifreq) < 0)
        err = complain(-errno, tap->name, "cannot set its MTU");
    if (!err && ioctl(control, SIOCGIFFLAGS, &ifreq) < 0)
        err = complain(-errno, tap->name, "cannot read its flags");
    ifreq.ifr_flags |= IFF_UP;
    if (!err && ioctl(control, SIOCSIFFLAGS, &ifreq) < 0)
        err = complain(-errno, tap->name, "cannot bring it up");
    close(control);
    return err;
}

void tap_set_link(const struct tap *tap, bool is_up)
{
    int carrier = is_up;

    (void)ioctl(tap->fd, TUNSETCARRIER, &carrier); /* before Linux 5.0 there is none: it stays up */
}

void tap_close(struct tap *tap)
{
    if (tap->fd >= 0)
        close(tap->fd);
    tap->fd = -1;
}
