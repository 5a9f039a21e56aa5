#!/bin/sh
# Brings to a bucket what a rollout makes: `push.sh REMOTE FOLDER MODELS [NAME]`, beside the command, until it
# is told to end (SIGTERM), with a last look then. New versions go first, their saved_model.pb last, since a
# version without it is on its way; then what says which of them answer: FOLDER/config. Where lock.sh claimed
# the bucket under NAME, it renews that, brings nothing once the claim is gone, and removes it in the end.
set -eu
remote=$1 folder=$2 models=$3 claim=$1/lock/${4:-} renews=${RENEWS:-60} ended='' lost='' seconds=0
trap 'ended=1' TERM

# What there is: the names of versions, and the files of config with their checksums. A change within a
# version is brought with the next change of config.
state() {
  for model in $models; do ls -d "$folder/$model"/[0-9]* 2>/dev/null || true; done
  cksum "$folder/config/models.config" "$folder/config/traffic.json" "$folder/config/rollouts.jsonl" 2>/dev/null || true
}

claimed() {
  [ -e "$folder/.lock" ] || return 0
  [ -z "$lost" ] || return 1
  found=$(rclone lsf --files-only "${claim%/*}") || [ $? = 3 ] || return 1
  echo "$found" | grep -qxF "${claim##*/}" && return 0
  lost=1
  echo "The lock $claim is gone, another rollout may have begun: nothing more is brought to the bucket." >&2
  return 1
}

renew() {
  [ -e "$folder/.lock" ] && claimed && rclone rcat "$claim" <"$folder/.lock" || true
}

push() {
  claimed || return 1
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
    if push; then there=$here; elif [ -z "$lost" ]; then echo "the bucket cannot be written; trying again" >&2; fi
  fi
  [ -z "$last" ] || break
  seconds=$((seconds + 1))
  [ $((seconds % renews)) != 0 ] || renew
  sleep 1 &
  wait $! || true
done
if [ -e "$folder/.lock" ] && [ -z "$lost" ]; then rclone deletefile "$claim" || true; fi
[ "$here" = "$there" ]
