# SPDX-License-Identifier: MIT
# Builds what goes on top of the base: our programs and the cases, made anew for each run.

# Prints the ELF programs below $1.
programs_find() {
    find "$1" -type f -perm -100 ! -name '*.so*' | while read -r program; do
        [ "$(head -c 4 "$program" | tr -d '\177')" = ELF ] && echo "$program"
    done
}

# Adds to tree $1 the libraries of the staged programs $3.. that base $2 lacks, from the host that built them.
libraries_add() {
    local tree=$1 base=$2 program library
    shift 2
    for program; do
        LD_LIBRARY_PATH=$STAGE/usr/lib ldd "$program"
    done | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | while read -r library; do
        case $library in
        "$STAGE"/*) install -D -m 755 "$library" "$tree${library#"$STAGE"}" ;;
        *) [ -e "$base$library" ] || install -D -m 755 "$library" "$tree/usr/lib/${library##*/}" ;;
        esac
    done
}

# Our own programs, built without sanitizers from a copy of the sources, so that neither an in-tree nor a
# sanitized build of the user's is in the way. STAGE is where they are installed, BUILD where test programs
# are.
programs_build() {
    local source=$XEN_WORK/source
    STAGE=$XEN_WORK/stage
    BUILD=$XEN_BUILD
    if [ -z "$BUILD" ]; then
        BUILD=$XEN_WORK/build
        say "building the programs"
        mkdir -p "$source" "$BUILD"
        source_list > "$XEN_WORK/source.list"
        # What was there and is no more could still be found by a build that goes on where the last one ended.
        [ -e "$XEN_WORK/source.built" ] && ! sources_vanished || rm -rf "$source" "$BUILD"
        mkdir -p "$source" "$BUILD"
        (cd "$TOP" && cpio -pdmu0 --quiet "$source" < "$XEN_WORK/source.list")
        [ -e "$source/configure" ] || (cd "$source" && autoreconf -fi) >"$XEN_WORK/build.log" 2>&1 ||
            build_failed
        [ -e "$BUILD/config.status" ] ||
            (cd "$BUILD" && "$source/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var) \
            >"$XEN_WORK/build.log" 2>&1 || build_failed
        cp "$XEN_WORK/source.list" "$XEN_WORK/source.built"
    fi
    rm -rf "$STAGE"
    mkdir -p "$STAGE/usr/bin"
    # shellcheck disable=SC2086
    { timeout 900 make -C "$BUILD" -j2 all && make -C "$BUILD" $XEN_TEST_PROGRAMS &&
        make -C "$BUILD" install DESTDIR="$STAGE"; } >"$XEN_WORK/build.log" 2>&1 || build_failed
    for program in $XEN_TEST_PROGRAMS; do
        install -D -m 755 "$BUILD/$program" "$STAGE/usr/bin/${program##*/}"
    done
    find "$STAGE" -name '*.la' -delete
}

build_failed() {
    tail -n 30 "$XEN_WORK/build.log" >&2
    die "the build failed; all of its output is in $XEN_WORK/build.log"
}

sources_vanished() { LC_ALL=C comm -z -23 "$XEN_WORK/source.built" "$XEN_WORK/source.list" | grep -qz .; }

# The files that the programs are built from, zero-terminated: not what only the machine needs.
source_list() {
    if git -C "$TOP" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -C "$TOP" ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
            [ -e "$TOP/$file" ] && printf '%s\0' "$file"
        done
    else # a tarball: nothing but products of a build is left out
        (cd "$TOP" && find . \( -name '*.o' -o -name '*.lo' -o -name .libs -o -name config.status \
            -o -name '*.xz' \) -prune -o -type f -print0)
    fi | grep -zvE '^(\./)?tests/xen/(cases|dom0|guest|host|run|shell)' | LC_ALL=C sort -z
}

# Makes $XEN_WORK/dom0.img: the base, our programs, and the cases that file $1 lists.
image_build() {
    local dom0=$XEN_WORK/dom0 guest=$XEN_WORK/guest programs
    rm -rf "$dom0" "$guest"
    mkdir -p "$dom0/xen" "$guest/xen" "$guest"/usr/{bin,sbin}
    ln -s ../bin/busybox "$guest/usr/sbin/poweroff" # the kernel starts these two when the toolstack says so
    ln -s ../bin/busybox "$guest/usr/sbin/reboot"

    # dom0 gets what `make install` installs, less what is for developers.
    cp -a "$STAGE/." "$dom0/"
    rm -rf "$dom0"/usr/{include,share/man,share/doc,lib/pkgconfig}
    mapfile -t programs < <(programs_find "$STAGE")
    libraries_add "$dom0" "$BASE/root" "${programs[@]}"
    cp -r "$HERE"/dom0/. "$HERE/cases" "$dom0/xen/"
    mv "$dom0/xen/init" "$dom0/init"
    cp "$1" "$dom0/xen/list"

    # A guest gets the ordinary user's programs: the frontend and the test programs.
    mapfile -t programs < <(programs_find "$STAGE/usr/bin")
    [ ${#programs[@]} = 0 ] || cp "${programs[@]}" "$guest/usr/bin/"
    libraries_add "$guest" "$BASE/guest" "${programs[@]}"
    cp -r "$HERE"/guest/. "$HERE/cases" "$guest/xen/"
    mv "$guest/xen/init" "$guest/init"
    { cat "$BASE/guest.cpio"; archive_tree "$guest"; } > "$dom0/xen/guest.img"

    # The kernel reads archives one after the other; each starts on a multiple of four bytes.
    { cat "$BASE/dom0.cpio"
      head -c $(((512 - $(stat -c %s "$BASE/dom0.cpio") % 512) % 512)) /dev/zero
      archive_tree "$dom0"; } > "$XEN_WORK/dom0.img"
    rm -rf "$dom0" "$guest"
}
