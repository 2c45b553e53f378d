#!/bin/sh
# enter.sh ROOT FOLDER COMMAND...: mounts ROOT read-only, FOLDER at the same path in it, and runs COMMAND.
# Run it in a mount namespace of its own, so that the mounts disappear with the command.
set -eu
root=$1 folder=$2
shift 2
mkdir -p "$root/proc" "$root/dev" "$root$folder"
: >"$root/dev/null"
mount --bind "$root" "$root"
mount -t proc -o ro proc "$root/proc"
mount --bind /dev/null "$root/dev/null"
mount --bind "$folder" "$root$folder"
mount -o remount,bind,ro "$root$folder"
mount -o remount,bind,ro "$root"
exec "$@"
