#!/bin/sh
# Runs a command between lock.sh and push.sh: `or_unlock.sh REMOTE NAME COMMAND...`. Where it fails or is told to
# end, push.sh, which frees the bucket, never begins: so this removes the claim of that NAME.
set -eu
claim=$1/lock/$2
shift 2
unlock() {
  status=$?
  [ "$status" = 0 ] || rclone deletefile "$claim" 2>/dev/null || true
  exit "$status"
}
trap unlock EXIT
"$@" &
trap 'kill $!; exit 143' TERM
wait $!
