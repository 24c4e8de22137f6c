#!/bin/sh
# Boot the Debian in $1 with its own systemd as process 1 of namespaces of its own, in a control group named $2.
# Nothing of this machine is seen or touched in there, and what is mounted goes with the last process.
set -eu

ROOT=$1
GROUP=$2

if [ "${3:-}" != inside ]; then
	# systemd manages the control group that it finds itself in, which therefore is a new one.
	groups=$(mktemp -d)
	mount -t cgroup2 none "$groups"
	mkdir "$groups/$GROUP"
	echo $$ >"$groups/$GROUP/cgroup.procs"
	umount "$groups"
	rmdir "$groups"
	exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child=KILL "$0" "$ROOT" "$GROUP" inside
fi

mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t tmpfs -o mode=755 none "$ROOT/run"
mount -t tmpfs none "$ROOT/tmp"
mount -t proc none "$ROOT/proc"
mount -t sysfs none "$ROOT/sys"
mount -t cgroup2 none "$ROOT/sys/fs/cgroup"
mount -t tmpfs -o mode=755 none "$ROOT/dev"
mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 none "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
while read -r name major minor; do
	mknod -m 666 "$ROOT/dev/$name" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
ip link set lo up
cd "$ROOT"
mkdir run/host
# Not chroot(8): who is in one may make no user namespaces, and PrivateUsers= needs one.
pivot_root . run/host
umount -l /run/host
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
