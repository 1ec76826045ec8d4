# SPDX-License-Identifier: MIT
# Makes the disk with programs that only a few guests need and that are too big for the initramfs of all: fio, with
# its libraries and its loader, so that nothing of it meets what the guest has. dom0 sees the disk as /dev/vdc and
# gives it to a guest read-only; a guest's tools_mount makes the programs commands.

# Builds $BASE/tools.img from the packages of list $1.
tools_build() {
    local list=$1 root=$BASE/tools-root tree=$BASE/tools file program library
    tree_init "$root"
    packages_fetch "$list" > "$list.files"
    while read -r file; do
        dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -C "$root" \
            --exclude='./usr/share' --exclude='./etc' --exclude='*/gconv' || die "cannot unpack $file"
    done < "$list.files"
    rm -f "$list.files"
    mkdir -p "$tree/bin" "$tree/lib"
    for program in $XEN_TOOLS_PROGRAMS; do
        cp -L "$root$program" "$tree/bin/"
        chroot "$root" /lib64/ld-linux-x86-64.so.2 --list "$program" |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/lib.*ld-linux/ { print $1 }'
    done | sort -u | while read -r library; do
        cp -L "$root$library" "$tree/lib/"
    done
    [ -e "$tree/lib/ld-linux-x86-64.so.2" ] || die "the loader of $XEN_TOOLS_PROGRAMS was not found"
    file=$BASE/tools.img
    truncate -s "$(($(du -sm "$tree" | cut -f1) * 5 / 4 + 8))M" "$file"
    mkfs.ext4 -q -F -O ^has_journal -d "$tree" "$file" || die "cannot make $file"
    rm -rf "$root" "$tree"
}
