dnl SPDX-License-Identifier: MIT
dnl What xensplit needs and what it can use. Each probe names the Debian package.

# XS_NEED_PKG(VARIABLE, pkg-config module, Debian package)
AC_DEFUN([XS_NEED_PKG], [
  PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 not found: install the Debian package $3])])
])

AC_DEFUN([XS_DEPENDENCIES], [
  XS_NEED_PKG([XENGNTTAB], [xengnttab], [libxen-dev])
  XS_NEED_PKG([XENEVTCHN], [xenevtchn], [libxen-dev])
  XS_NEED_PKG([XENTOOLCORE], [xentoolcore], [libxen-dev])
  XS_NEED_PKG([XENTOOLLOG], [xentoollog], [libxen-dev])
  XS_NEED_PKG([XENSTORE], [xenstore], [libxen-dev])
  XS_NEED_PKG([XENCONTROL], [xencontrol], [libxen-dev])
  xs_xen_version=`$PKG_CONFIG --modversion xencontrol`
  AC_DEFINE_UNQUOTED([XEN_MAJOR], [`AS_ECHO(["$xs_xen_version"]) | cut -d. -f1`],
    [Xen release that the headers belong to: the number before the dot])
  AC_DEFINE_UNQUOTED([XEN_MINOR], [`AS_ECHO(["$xs_xen_version"]) | cut -d. -f2`],
    [Xen release that the headers belong to: the number after the dot])
  AC_CHECK_HEADER([xen/io/blkif.h], [],
    [AC_MSG_ERROR([xen/io/blkif.h not found: install the Debian package libxen-dev])],
    [[#include <stdint.h>
#include <string.h>
#define xen_mb() ((void)0)
#define xen_rmb() ((void)0)
#define xen_wmb() ((void)0)
#include <xen/grant_table.h>
#include <xen/event_channel.h>
#include <xen/io/ring.h>]])
  XS_NEED_PKG([LIBEVENT], [libevent_core >= 2.1 libevent_pthreads], [libevent-dev])
  XS_NEED_PKG([LIBURING], [liburing >= 2.1], [liburing-dev])
  XS_NEED_PKG([JANSSON], [jansson >= 2.13], [libjansson-dev])
  AC_CHECK_HEADER([libaio.h], [], [AC_MSG_ERROR([libaio.h not found: install the Debian package libaio-dev])])
  AC_CHECK_LIB([aio], [io_submit], [AC_SUBST([LIBAIO_LIBS], [-laio])],
    [AC_MSG_ERROR([libaio not found: install the Debian package libaio-dev])])
  dnl Their replacements in xenbox stand in front of the installed ones, and have the symbols of these versions.
  REAL_LIBURING=`$CC -print-file-name=liburing.so.2`
  REAL_LIBAIO=`$CC -print-file-name=libaio.so.1`
  AC_SUBST([REAL_LIBURING])
  AC_SUBST([REAL_LIBAIO])
  xs_aio_model=no
  AS_CASE([$REAL_LIBURING:$REAL_LIBAIO],
    [/*:/*], [AS_IF([$PKG_CONFIG --exact-version=2.3 liburing], [xs_aio_model=yes])])
  AM_CONDITIONAL([AIO_MODEL], [test "$xs_aio_model" = yes])
  xs_saved_LIBS=$LIBS
  AC_SEARCH_LIBS([pthread_create], [pthread], [], [AC_MSG_ERROR([POSIX threads not found])])
  PKG_CHECK_MODULES([CMOCKA], [cmocka >= 1.1.5], [have_cmocka=yes], [have_cmocka=no])
  AM_CONDITIONAL([HAVE_CMOCKA], [test "$have_cmocka" = yes])
])

AC_DEFUN([XS_SUMMARY], [
  AS_IF([test "$have_cmocka" = yes], [xs_tests="yes"],
    [xs_tests="no unit tests: make check fails until the Debian package libcmocka-dev is installed"])
  AC_MSG_NOTICE([
  $PACKAGE_STRING

  compiler              $CC
  flags                 $CFLAGS $XS_CFLAGS
  sanitizers            $enable_sanitizers
  hardening             $enable_hardening
  prefix                $prefix

  required              libxen, libevent, liburing, libaio, jansson: all found
  unit tests            $xs_tests
  xenbox: asynchronous I/O on granted pages
                        $xs_aio_model (yes with liburing 2.3)
])
])
