#!/bin/sh
# Brings the versions of a model from a bucket to a folder: `pull.sh REMOTE FOLDER [SECONDS]`, once or
# every so many seconds. A version gets its number by one rename, after every file was compared with
# its checksum: no model server ever finds half of one. Those that are here are never looked at again.
set -eu
# Within what stands before `||`, `-e` does not count: each step says so itself.
remote=$1 folder=$2 every=${3:-}

pull() {
  version=$1 draft=$folder/.pull-$1
  # A bucket knows no renames: saved_model.pb is uploaded last, and until then the version is on its way.
  files=$(rclone lsf --files-only "$remote/$version") || return 1
  echo "$files" | grep -qx saved_model.pb || return 0
  rclone sync --checksum "$remote/$version" "$draft" || return 1
  rclone check --quiet "$remote/$version" "$draft" || return 1
  mv "$draft" "$folder/$version" || return 1
  echo "version $version is here"
}

pull_all() {
  mkdir -p "$folder" || return 1
  names=$(rclone lsf --dirs-only "$remote") || return 1
  for name in $names; do
    version=${name%/}
    case $version in *[!0-9]*) continue ;; esac
    [ -e "$folder/$version" ] || pull "$version" || return 1
  done
}

pull_all || [ -n "$every" ]
while [ -n "$every" ]; do
  sleep "$every"
  pull_all || echo "the bucket cannot be read; trying again in $every s" >&2
done
