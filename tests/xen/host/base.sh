# SPDX-License-Identifier: MIT
# Builds the base of what is booted: hypervisor, kernel, dom0's and the guests' programs, from Debian packages, cached
# under a key of their versions. Nothing is installed on the host except the tools that it lacks.

say() { printf '%s\n' "xen: $*" >&2; }
die() { say "$*"; exit 1; }

# Installs the tools and libraries that the host lacks; as an ordinary user, names them.
host_prepare() {
    # shellcheck disable=SC2086
    packages_ensure $XEN_HOST_PACKAGES || exit 1
    [ "$(id -u)" = 0 ] || die "root is needed: the tools of the packages that are unpacked run in a chroot"
    compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || apt-get -q update >&2 ||
        die "apt-get update failed"
}

# Prints "name version" of every package that the packages $2.. need, less those that match $1: apt resolves them
# as for a machine that has nothing. It takes seconds, so the answer is kept as long as apt's lists are the same.
packages_list() {
    local empty answer unwanted=$1
    shift
    answer=$XEN_CACHE/packages-$({ echo "$unwanted $*"; stat -c '%n %s %Y' /var/lib/apt/lists/*; } 2>/dev/null |
        sha256sum | cut -c1-16).list
    if [ ! -s "$answer" ]; then
        empty=$(mktemp)
        apt-get -o Dir::State::status="$empty" --no-install-recommends -s install "$@" |
            awk -v unwanted="$unwanted" \
                '$1 == "Inst" && $2 !~ unwanted { sub(/^\(/, "", $3); print $2, $3 }' > "$empty.list"
        mv "$empty.list" "$answer"
        rm -f "$empty"
    fi
    cat "$answer"
}

# Downloads the packages of list $1 that the cache has not got, and prints the files' paths.
packages_fetch() {
    local list=$1 name version file want=()
    mkdir -p "$XEN_CACHE/packages"
    while read -r name version; do
        compgen -G "$XEN_CACHE/packages/${name}_${version//:/%3a}_*.deb" >/dev/null || want+=("$name=$version")
    done < "$list"
    if [ ${#want[@]} != 0 ]; then
        say "downloading ${#want[@]} packages"
        (cd "$XEN_CACHE/packages" && apt-get -q -o APT::Sandbox::User=root download "${want[@]}") \
            >"$XEN_WORK/apt.log" 2>&1 || {
            tail -n 5 "$XEN_WORK/apt.log" >&2
            die "apt-get download failed"
        }
    fi
    while read -r name version; do
        file=$(compgen -G "$XEN_CACHE/packages/${name}_${version//:/%3a}_*.deb") ||
            die "$name $version was not downloaded"
        echo "$file"
    done < "$list"
}

# The uncompressed ELF kernel in bzImage $1: xl starts it several times faster.
kernel_unpack() {
    local magic offset tool
    while read -r magic tool; do
        for offset in $(LC_ALL=C grep -abo -P "$magic" "$1" | cut -d: -f1); do
            tail -c "+$((offset + 1))" "$1" | $tool 2>/dev/null > "$2" || true # more follows
            [ "$(head -c 4 "$2" | tr -d '\177')" = ELF ] && return
        done
    done <<'MAGICS'
\xfd7zXZ\x00 xz -dc --single-stream
\x28\xb5\x2f\xfd zstd -dc
\x1f\x8b\x08 gzip -dc
MAGICS
    die "no ELF kernel found in $1"
}

# Copies the modules $4.. of tree $2 (below root $1, seen from inside it) and their dependencies to tree $3.
modules_copy() {
    local root=$1 from=$2 to=$3 module path
    shift 3
    mkdir -p "$root$to/lib/modules/$KERNEL"
    cp "$root$from/lib/modules/$KERNEL"/modules.{builtin,builtin.modinfo,order} "$root$to/lib/modules/$KERNEL/"
    for module; do
        chroot "$root" /usr/sbin/modprobe -S "$KERNEL" -d "$from" --show-depends "$module" ||
            die "kernel $KERNEL has no module $module"
    done | awk '$1 == "insmod" { print $2 }' | sed 's,//*,/,g' | sort -u | while read -r path; do
        mkdir -p "$root$to$(dirname "${path#"$from"}")"
        cp "$root$path" "$root$to${path#"$from"}"
    done
    chroot "$root" /usr/sbin/depmod -b "${to:-/}" "$KERNEL"
}

# Copies programs $3.. of root $1 with their libraries into tree $2; a library that the root lacks comes from
# the host (our own programs were linked there).
programs_copy() {
    local root=$1 tree=$2 program library
    shift 2
    for program; do
        mkdir -p "$tree$(dirname "$program")"
        cp -L "$root$program" "$tree$program"
        chroot "$root" /lib64/ld-linux-x86-64.so.2 --list "$program" 2>/dev/null |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/lib.*ld-linux/ { print $1 }'
    done | sort -u | while read -r library; do
        mkdir -p "$tree$(dirname "$library")"
        cp -L "$root$library" "$tree$library"
    done
}

archive_tree() { (cd "$1" && find . -print0 | sort -z | cpio -0 -o -H newc -R 0:0 --quiet); }

# A root with nothing but busybox and the folders that an init needs.
tree_init() {
    local tree=$1 folder applet
    for folder in bin sbin lib lib64; do
        mkdir -p "$tree/usr/$folder"
        [ -e "$tree/$folder" ] || ln -s "usr/$folder" "$tree/$folder"
    done
    mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,mnt,etc,xen,var/log}
}

tree_add_applets() {
    local applet
    for applet in $("$1/usr/bin/busybox" --list); do
        [ -e "$1/usr/bin/$applet" ] || [ -e "$1/usr/sbin/$applet" ] || ln -s busybox "$1/usr/bin/$applet"
    done
}

# Makes the base: $BASE/{xen,vmlinuz,dom0.cpio,guest.cpio,tools.img}. KERNEL and BASE are set for the rest.
base_build() {
    local list key root file program programs=()
    mkdir -p "$XEN_CACHE"
    list=$(mktemp)
    # shellcheck disable=SC2086
    packages_list "$XEN_PACKAGES_UNWANTED" $XEN_PACKAGES > "$list"
    [ -s "$list" ] || die "apt cannot resolve: $XEN_PACKAGES"
    # shellcheck disable=SC2086
    packages_list "$XEN_PACKAGES_UNWANTED|$XEN_TOOLS_UNWANTED" $XEN_TOOLS_PACKAGES > "$list.tools"
    [ -s "$list.tools" ] || die "apt cannot resolve: $XEN_TOOLS_PACKAGES"
    key=$({ cat "$list" "$list.tools" "$HERE"/host/{base,tools}.sh
            echo "$XEN_DOM0_MODULES $XEN_GUEST_MODULES $XEN_GUEST_PROGRAMS $XEN_TOOLS_PROGRAMS"; } |
        sha256sum | cut -c1-16)
    KERNEL=$(sed -n 's/^linux-image-\([^ ]*\) .*/\1/p' "$list")
    BASE=$XEN_CACHE/base-$key
    exec 6>"$BASE.lock"
    [ -e "$BASE/complete" ] || flock 6 # another source tree may be building it just now
    if [ -e "$BASE/complete" ]; then
        rm -f "$list" "$list.tools"
        exec 6>&-
        return
    fi
    say "building the base image ($(cat "$list" "$list.tools" | wc -l) packages)"
    packages_fetch "$list" > "$list.files"
    find "$XEN_CACHE" -maxdepth 1 \( -name 'base-*' -o -name 'packages-*' \) -mtime +2 -exec rm -rf {} + # of older versions
    rm -rf "$BASE"
    mkdir -p "$BASE"
    root=$BASE/root
    tree_init "$root"
    while read -r file; do
        dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -C "$root" \
            --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
            --exclude='./usr/share/i18n' --exclude='./usr/lib/debug' --exclude='*.efi' --exclude='*/gconv' \
            --exclude='./usr/share/qemu/*.fd' --exclude='*/gstreamer-1.0/*' --exclude='*/xen-shim*' ||
            die "cannot unpack $file"
    done < "$list.files"
    rm -f "$list" "$list.files"

    zcat "$root"/boot/xen-*.gz > "$BASE/xen"
    mv "$root/boot/vmlinuz-$KERNEL" "$BASE/vmlinuz"
    kernel_unpack "$BASE/vmlinuz" "$root/xen/vmlinux"
    rm -rf "$root/boot"
    mkdir -p "$root/.all/lib"
    mv "$root/usr/lib/modules" "$root/.all/lib/"
    chroot "$root" /usr/sbin/depmod -b /.all "$KERNEL"
    # shellcheck disable=SC2086
    modules_copy "$root" /.all "" $XEN_DOM0_MODULES
    tree_init "$root/.guest"
    # shellcheck disable=SC2086
    modules_copy "$root" /.all /.guest $XEN_GUEST_MODULES
    rm -rf "$root/.all"

    rm -rf "$root/var/run" "$root/var/lock"
    mkdir -p "$root"/var/{lib/xen,lib/xenstored,log/xen/console} "$root/etc/xen"
    ln -s /run "$root/var/run"
    ln -s /run/lock "$root/var/lock"
    ln -sf bash "$root/usr/bin/sh"
    echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
    echo 'root:x:0:' > "$root/etc/group"
    tree_add_applets "$root"

    for program in $XEN_GUEST_PROGRAMS; do
        for file in "$root"/usr/{bin,sbin}/"$program"; do
            [ -e "$file" ] && programs+=("${file#"$root"}")
        done
    done
    mv "$root/.guest" "$BASE/guest"
    programs_copy "$root" "$BASE/guest" /usr/bin/busybox "${programs[@]}"
    for file in "$root"/usr/lib/*/libgcc_s.so.1; do # glibc opens it when a thread is cancelled
        install -D "$file" "$BASE/guest${file#"$root"}"
    done
    tree_add_applets "$BASE/guest"
    archive_tree "$BASE/guest" > "$BASE/guest.cpio"
    archive_tree "$root" > "$BASE/dom0.cpio" # as it is: an emulated processor would take seconds to unpack it
    tools_build "$list.tools"
    rm -f "$list.tools"
    touch "$BASE/complete"
    exec 6>&-
}
