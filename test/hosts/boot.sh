#!/bin/sh
# The first process of a test host: gives the new namespaces a machine's looks, says "ready PID" with
# its process number as the machine sees it, and stays. Killing it is the power-off.
#
# boot.sh NAME FOLDER KEEP...
#   NAME    the host's name
#   FOLDER  what survives a power-off: state srv log tmp, or NAME.disk in place of srv
#   KEEP    folders of the machine that stay visible although the host's own lie above them
set -eu
name=$1
folder=$2
shift 2
read -r pid _ < /proc/self/stat # still the machine's /proc: the number outside

mount --make-rprivate /

# Folders of the machine below what is hidden in the next step are put aside and brought back.
mount -t tmpfs -o mode=1777 shm /dev/shm
aside=/dev/shm/aside
mkdir "$aside"
mount -t tmpfs -o mode=755 aside "$aside"
count=0
for keep in "$@"; do
  count=$((count + 1))
  mkdir "$aside/$count"
  mount --bind "$keep" "$aside/$count"
done

hostname "$name"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t fusectl fusectl /sys/fs/fuse/connections 2> /dev/null || true
if [ -e "$folder/disk" ]; then
  mount -o loop "$folder/disk" /srv
else
  mount --bind "$folder/srv" /srv
fi
mkdir "$aside/state" "$aside/log" "$aside/tmp"
mount --bind "$folder/state" "$aside/state"
mount --bind "$folder/log" "$aside/log"
mount --bind "$folder/tmp" "$aside/tmp"
cd "$aside"
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/tako /run/lock
mount -t tmpfs -o mode=755 lib /var/lib
mkdir -p /var/lib/tako
mount --bind state /var/lib/tako
mount --bind log /var/log
mount --bind tmp /tmp
count=0
for keep in "$@"; do
  count=$((count + 1))
  if [ "$(stat -c %d:%i "$keep" 2> /dev/null)" != "$(stat -c %d:%i "$count")" ]; then
    mkdir -p "$keep"
    mount --bind "$count" "$keep"
  fi
done
cd /
umount -l "$aside" # with all below it; what was bound from there stays
rmdir "$aside"

# A first process must wait for orphans; ignoring SIGCHLD has the kernel do it.
trap '' CHLD
echo "ready $pid"
exec sleep infinity < /dev/null > /dev/null 2>&1
