#!/bin/sh
# Brings the versions of models from a bucket to a folder: `pull.sh REMOTE FOLDER MODELS [SECONDS]`,
# once or every so many seconds; MODELS are names separated by spaces. A version gets its number by one
# rename, after every file was compared with its checksum: no model server ever finds half of one. Those
# that are here are never looked at again. A model that the bucket does not have keeps nobody waiting.
set -eu
trap 'exit 143' TERM
# Within what stands before `||`, `-e` does not count: each step says so itself.
remote=$1 folder=$2 models=$3 every=${4:-}

pull() {
  path=$1/$2 draft=$folder/$1/.pull-$2
  # A bucket knows no renames: saved_model.pb is uploaded last, and until then the version is on its way.
  files=$(rclone lsf --files-only "$remote/$path") || return 1
  echo "$files" | grep -qx saved_model.pb || return 0
  rclone sync --checksum "$remote/$path" "$draft" || return 1
  rclone check --quiet "$remote/$path" "$draft" || return 1
  mv "$draft" "$folder/$path" || return 1
  echo "$1 version $2 is here"
}

versions_of() {
  # 3 is rclone's status for a folder that is not there; S3 has none, and lists nothing.
  rclone lsf --dirs-only "$remote/$1" || [ $? = 3 ]
}

pull_config() {
  draft=$folder/.pull-config
  mkdir -p "$draft" "$folder/config" || return 1
  rclone copy --checksum "$remote/config" "$draft" || [ $? = 3 ] || return 1
  for file in models.config traffic.json rollouts.jsonl; do
    [ -e "$draft/$file" ] || continue
    cmp -s "$draft/$file" "$folder/config/$file" && continue
    cp "$draft/$file" "$folder/config/.$file" && mv "$folder/config/.$file" "$folder/config/$file" || return 1
  done
  if [ -n "${DEFAULTS:-}" ] && [ ! -e "$folder/config/models.config" ]; then
    cp "$DEFAULTS/models.config" "$folder/config/models.config" || return 1
  fi
}

pull_all() {
  for model in $models; do
    mkdir -p "$folder/$model" || return 1
    names=$(versions_of "$model") || return 1
    [ -n "$names$every" ] || echo "the bucket has no version of $model" >&2
    # Other folders, whose names may hold blanks, are no versions.
    for version in $(echo "$names" | sed -n 's|^\([0-9][0-9]*\)/$|\1|p'); do
      [ -e "$folder/$model/$version" ] || pull "$model" "$version" || return 1
    done
  done
  pull_config
}

pull_all || [ -n "$every" ]
while [ -n "$every" ]; do
  # Process 1 of a container ends by a signal only where it is not within a command.
  sleep "$every" &
  wait $!
  pull_all || echo "the bucket cannot be read; trying again in $every s" >&2
done
