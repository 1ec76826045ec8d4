dnl SPDX-License-Identifier: MIT
dnl Compiler warnings, hardening, sanitizers and symbol maps.

# XS_TRY_FLAG(VARIABLE, FLAG): append FLAG to VARIABLE when compiler and linker take it.
AC_DEFUN([XS_TRY_FLAG], [
  AS_VAR_PUSHDEF([cache], [xs_cv_flag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [cache], [
    xs_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[char b[64]; memset(b, 0, sizeof(b)); return b[3];]])],
      [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
    CFLAGS=$xs_saved_CFLAGS])
  AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
  AS_VAR_POPDEF([cache])
])

# XS_HARDENING: sets XS_CFLAGS and XS_LDFLAGS.
AC_DEFUN([XS_HARDENING], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make warnings errors])], [], [enable_werror=no])
  AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [leave out stack protector, RELRO and the like])], [], [enable_hardening=yes])
  XS_CFLAGS="-Wall -Wextra"
  XS_LDFLAGS=
  m4_foreach_w([flag], [-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
                        -Wformat=2 -Wvla -Wimplicit-fallthrough -Wno-unused-parameter -Wno-missing-field-initializers],
    [XS_TRY_FLAG([XS_CFLAGS], flag)])
  AS_IF([test "$enable_werror" = yes], [XS_CFLAGS="$XS_CFLAGS -Werror"])
  AS_IF([test "$enable_hardening" = yes], [
    m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection -fcf-protection],
      [XS_TRY_FLAG([XS_CFLAGS], flag)])
    XS_TRY_FLAG([XS_LDFLAGS], [-Wl,-z,relro])
    XS_TRY_FLAG([XS_LDFLAGS], [-Wl,-z,now])
    XS_TRY_FLAG([XS_LDFLAGS], [-Wl,--as-needed])
    AS_CASE([" $CFLAGS "], [*" -O"@<:@1-3s@:>@*], [AS_CASE([" $CFLAGS $CPPFLAGS "], [*_FORTIFY_SOURCE*], [],
      [XS_CFLAGS="$XS_CFLAGS -D_FORTIFY_SOURCE=2"])])
  ])
  AC_SUBST([XS_CFLAGS])
  AC_SUBST([XS_LDFLAGS])
])

# XS_SANITIZERS: --enable-sanitizers=address,undefined | thread. The flags from before are kept as XS_CFLAGS_PLAIN and
# XS_LDFLAGS_PLAIN, for libraries that programs of others load.
AC_DEFUN([XS_SANITIZERS], [
  AC_SUBST([XS_CFLAGS_PLAIN], [$XS_CFLAGS])
  AC_SUBST([XS_LDFLAGS_PLAIN], [$XS_LDFLAGS])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST: address,undefined or thread])],
    [], [enable_sanitizers=no])
  AS_IF([test "$enable_sanitizers" = yes], [enable_sanitizers=address,undefined])
  AS_IF([test "$enable_sanitizers" != no], [
    xs_san="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer"
    AS_CASE([,$enable_sanitizers,], [*,undefined,*], [xs_san="$xs_san -fno-sanitize-recover=undefined"])
    xs_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $xs_san"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [],
      [AC_MSG_ERROR([$CC cannot build with -fsanitize=$enable_sanitizers (for clang: package libclang-rt-14-dev)])])
    CFLAGS=$xs_saved_CFLAGS
    XS_CFLAGS=`AS_ECHO(["$XS_CFLAGS"]) | $SED 's/-D_FORTIFY_SOURCE=2//'`
    XS_CFLAGS="$XS_CFLAGS $xs_san"
    XS_LDFLAGS="$XS_LDFLAGS $xs_san"
    dnl Instrumented code hides value ranges from gcc: these warnings guess then. The plain build keeps them.
    m4_foreach_w([flag], [-Wno-format-truncation -Wno-stringop-truncation -Wno-maybe-uninitialized],
      [XS_TRY_FLAG([XS_CFLAGS], flag)])
  ])
  AS_IF([test "$enable_sanitizers" = no], [xs_sanitizer_list=], [xs_sanitizer_list=$enable_sanitizers])
  AC_SUBST([SANITIZER_LIST], [$xs_sanitizer_list])
  AM_CONDITIONAL([SANITIZED], [test "$enable_sanitizers" != no])
])

# XS_VERSION_SCRIPT: symbol maps are required, since the libraries of xenbox carry upstream's version nodes.
AC_DEFUN([XS_VERSION_SCRIPT], [
  AC_CACHE_CHECK([whether the linker takes a version script], [xs_cv_version_script], [
    echo 'XS_1 { global: xs_a; local: *; };' > conftest.map
    xs_saved_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--version-script=conftest.map"
    AC_LINK_IFELSE([AC_LANG_SOURCE([[int xs_a(void); int xs_a(void) { return 0; }]])],
      [xs_cv_version_script=yes], [xs_cv_version_script=no])
    LDFLAGS=$xs_saved_LDFLAGS
    rm -f conftest.map])
  AS_IF([test "$xs_cv_version_script" != yes], [AC_MSG_ERROR([the linker must support --version-script])])
])
