# SPDX-License-Identifier: MIT
# interop.sh: where Debian puts the programs of Xen that the tests in this directory meet. Sourced after
# functions.sh. /usr/sbin and /usr/bin hold wrappers of some of them that refuse to run without a hypervisor.

XEN_BIN=${XEN_BIN:-/usr/lib/xen-4.17/bin}
XEN_QEMU=${XEN_QEMU:-/usr/libexec/xen-qemu-system-i386}
