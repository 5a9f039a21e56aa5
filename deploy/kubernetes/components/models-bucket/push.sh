#!/bin/sh
# Brings to a bucket what a rollout makes: `push.sh REMOTE FOLDER MODELS`, beside the command, until it is
# told to end (SIGTERM), with a last look then. New versions go first, their saved_model.pb last, since a
# version without it is on its way; then what says which of them answer: FOLDER/config.
set -eu
remote=$1 folder=$2 models=$3 ended=
trap 'ended=1' TERM

# What there is: names and sizes of versions, and the files of config with their checksums.
state() {
  for model in $models; do ls -d "$folder/$model"/[0-9]* 2>/dev/null || true; done
  cksum "$folder/config/models.config" "$folder/config/traffic.json" "$folder/config/rollouts.jsonl" 2>/dev/null || true
}

push() {
  for model in $models; do
    for version in "$folder/$model"/[0-9]*; do
      [ -d "$version" ] || continue
      rclone copy --checksum --exclude saved_model.pb "$version" "$remote/$model/${version##*/}" || return 1
      rclone copy --checksum "$version" "$remote/$model/${version##*/}" || return 1
    done
  done
  rclone copy --checksum --include models.config --include traffic.json --include rollouts.jsonl \
    "$folder/config" "$remote/config" || return 1
}

there=$(state)
while :; do
  last=$ended here=$(state)
  if [ "$here" != "$there" ]; then
    if push; then there=$here; else echo "the bucket cannot be written; trying again" >&2; fi
  fi
  [ -z "$last" ] || break
  sleep 1 &
  wait $! || true
done
[ "$here" = "$there" ]
