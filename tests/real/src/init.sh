#!/bin/sh
# The first process of a cluster's own process and mount namespaces. When it ends, the kernel ends all others and takes
# all mounts away, so that no shim, container or mount outlives a run, whatever happened to the run.
#
# It covers the places that containerd and kubelet use by fixed names, and it collects orphans.
set -eu
folder=$1
shift

mount --make-rshared /
cp -L /etc/resolv.conf "$folder/etc/resolv.conf" 2>/dev/null || : >"$folder/etc/resolv.conf"
for place in /run /var/log /var/lib/cni /var/lib/kubelet; do
	mkdir -p "$place"
	mount -t tmpfs -o mode=755 reef "$place"
done
resolver=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolver")"
[ -e "$resolver" ] || : >"$resolver"
mount --bind "$folder/etc/resolv.conf" "$resolver"
mount --bind "$folder/etc/hosts" /etc/hosts

# A kubelet sets these for the whole machine. It finds them set, and the machine keeps its own.
while read -r name value; do
	[ -e "/proc/sys/$name" ] || continue
	echo "$value" >"$folder/etc/sysctl.$(basename "$name")"
	mount --bind "$folder/etc/sysctl.$(basename "$name")" "/proc/sys/$name"
done <<-END
	vm/overcommit_memory 1
	vm/panic_on_oom 0
	kernel/panic 10
	kernel/panic_on_oops 1
	kernel/keys/root_maxkeys 1000000
	kernel/keys/root_maxbytes 25000000
END

code=0
"$@" || code=$?
exit $code
