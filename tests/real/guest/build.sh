#!/usr/bin/env bash
# Prepares the guest that the tests boot: Debian's kernel for clouds and a file system with one program.
#
#   build.sh        prints the folder that then holds `kernel`, `initramfs`, and `fill` for images of one file
#
# The kernel is taken from Debian's package without installing it. The folder is named after the kernel and the sources,
# so that it is made once and never stale.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/reef
sources=$(cd "$(dirname "$0")" && pwd)

cd "$sources"
kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
if [ -z "$kernel" ]; then
	echo "linux-image-cloud-amd64 is not known to apt, whose kernel the guests of the tests boot: run apt-get update" >&2
	exit 1
fi
version=$(apt-cache policy "$kernel" | sed -n 's/ *Candidate: //p')
hash=$(cat go.mod init/*.go initramfs/*.go fill/*.go build.sh | sha256sum | cut -c1-12)
guest="$cache/guest-$kernel-$version-$hash"
if [ -e "$guest/initramfs" ]; then
	echo "$guest"
	exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$kernel" >&2)
dpkg-deb -x "$work"/*.deb "$work/package"
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath
mkdir "$work/guest"
go build -ldflags '-s -w' -o "$work/init" ./init
go build -ldflags '-s -w' -o "$work/guest/fill" ./fill
cp "$work"/package/boot/vmlinuz-* "$work/guest/kernel"
modules=$(find "$work/package" -type d -path '*/lib/modules' | head -n 1)
go run ./initramfs -init "$work/init" -modules "$modules" -out "$work/guest/initramfs"
# Two that build at once both end with a whole folder; the later one finds the place taken.
mv -T "$work/guest" "$guest" 2>/dev/null || [ -e "$guest/initramfs" ]
echo "$guest"
