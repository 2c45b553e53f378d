#!/bin/sh
# Makes a root that can only be read, with one folder seen in it, and runs a command: enter.sh ROOT FOLDER COMMAND...
# It is started in a mount namespace of its own, so that all of it goes away with the command.
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
