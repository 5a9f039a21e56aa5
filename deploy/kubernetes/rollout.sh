#!/bin/bash
# Runs one command of `python -m serving rollout` in the cluster and shows what it says:
#   deploy/kubernetes/rollout.sh canary 2 --percent 10
# US_BILLS_TOOLS_IMAGE is the image that it runs in, where it is not us-bills-serving of the node;
# US_BILLS_ROLLOUT_JOB the file of the Job, where versions are in a bucket.
set -euo pipefail
patch=$(python3 - "$@" <<'PYTHON'
import getpass, json, shlex, sys

words, template = sys.argv[1:] or ["status"], "/spec/template"
pod = f"{template}/spec"
new = {
    f"{pod}/containers/0/args": words,
    f"{pod}/containers/0/env/0/value": getpass.getuser(),
    f"{template}/metadata/annotations/command": shlex.join(words),
}
print(json.dumps([{"op": "add", "path": path, "value": value} for path, value in new.items()]))
PYTHON
)
kubectl="kubectl --namespace us-bills"
job=$(
  kubectl patch --local --type=json --patch "$patch" --output yaml \
    --filename "${US_BILLS_ROLLOUT_JOB:-$(dirname "$0")/rollout.yaml}" |
    sed "s|image: us-bills-serving\$|image: ${US_BILLS_TOOLS_IMAGE:-us-bills-serving}|" |
    kubectl create --filename - --output name
)
ended() {
  # Nothing by a call that succeeds: deleted, which is how to end a `watch`.
  found=$($kubectl get "$job" --ignore-not-found --output name) || return 1
  [[ $found ]] || { echo "$job was deleted." >&2; exit 1; }
  [[ $($kubectl get "$job" --output 'jsonpath={.status.succeeded}{.status.failed}') ]]
}
# There is nothing to show before its container has started, which it may never do.
until $kubectl logs --follow --container rollout "$job" 2>/dev/null || ended; do sleep 1; done
until ended; do sleep 1; done
# Of the Job of a bucket: why it was refused, or what it could not bring here or back.
for name in lock pull incoming push; do $kubectl logs --container "$name" "$job" >&2 2>/dev/null || true; done
state=.state.terminated.exitCode
codes=$($kubectl get pods --selector "job-name=${job#*/}" --output \
  "jsonpath={.items[0].status.containerStatuses[0]$state} {.items[0].status.initContainerStatuses[*]$state}")
for code in ${codes:-1}; do [ "$code" = 0 ] || exit "$code"; done
