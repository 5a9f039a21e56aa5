#!/bin/sh
# Keeps two rollouts apart that work on one bucket: `lock.sh REMOTE FOLDER NAME [SECONDS]` claims it by a file
# of that name in REMOTE/lock, and is refused where another's is there for so many seconds. It lists the
# claims after it wrote its own, so of two that come at once at least one finds the other's. That needs lists
# that are up to date, as those of the large stores are; conditional writes this rclone cannot send.
# push.sh renews the claim and removes it in the end. One that nobody renewed for EXPIRES counts no more.
# COMMAND is what the rollout does, quoted for a shell: `status` changes nothing and needs no lock.
set -eu
remote=$1/lock folder=$2 name=$3 seconds=${4:-60} expires=${EXPIRES:-15m} command=${COMMAND:-}
case " $command " in
  # The word may be an argument of these, or stand within a quoted one.
  *\'* | *" publish "* | *" canary "* | *" promote "* | *" rollback "* | *" retire "* | *" reconcile "* | *" watch "*) ;;
  *" status "*) exit 0 ;;
esac

others() {
  # By the store's own times, whatever clock the other Job has. 3 is rclone's status for no such folder.
  found=$(rclone lsf --files-only --use-server-modtime --max-age "$expires" "$remote") || [ $? = 3 ] || return 1
  echo "$found" | grep -vxF "$name" || true
}

withdraw() {
  rm -f "$folder/.lock"
  rclone deletefile "$remote/$name" 2>/dev/null || true
}

refuse() {
  holder=$(echo "$1" | head -n 1)
  cat >&2 <<TEXT
Another rollout holds the bucket: $holder (\`$(rclone cat "$remote/$holder" || true)\`). Wait for it, or end it:
  kubectl --namespace us-bills delete job $holder
Where that Job is gone already, this frees the bucket; else the lock counts no more after $expires:
  rclone deletefile $remote/$holder
TEXT
  exit 1
}

trap withdraw EXIT
trap 'exit 143' TERM
deadline=$(($(date +%s) + seconds))
while :; do
  holders=$(others)
  if [ -z "$holders" ]; then
    echo "$command" >"$folder/.lock"
    rclone rcat "$remote/$name" <"$folder/.lock"
    holders=$(others)
    [ -n "$holders" ] || break
    withdraw
  fi
  [ "$(date +%s)" -lt "$deadline" ] || refuse "$holders"
  # For different times, so that two that came at once do not come at once again.
  sleep $(($(od -An -N1 -tu1 /dev/urandom) % 4 + 1))
done
# What dead Jobs left: one that was only cut off finds that it has the bucket no more.
rclone delete --use-server-modtime --min-age "$expires" --exclude "/$name" "$remote"
trap - EXIT
