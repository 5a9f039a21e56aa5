#!/bin/bash
# Runs one command of `python -m serving rollout` in the cluster and shows what it says:
#   deploy/kubernetes/rollout.sh canary 2 --percent 10
# US_BILLS_TOOLS_IMAGE is the image that it runs in, where it is not us-bills-serving of the node;
# US_BILLS_ROLLOUT_JOB the file of the Job, where versions are in a bucket.
set -euo pipefail
patch=$(python3 - "$@" <<'PYTHON'
import getpass, json, sys

pod = "/spec/template/spec"
new = {
    f"{pod}/containers/0/args": sys.argv[1:] or ["status"],
    f"{pod}/containers/0/env/0/value": getpass.getuser(),
}
print(json.dumps([{"op": "replace", "path": path, "value": value} for path, value in new.items()]))
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
  [[ $($kubectl get "$job" --output 'jsonpath={.status.succeeded}{.status.failed}') ]]
}
# There is nothing to show before its container has started, which it may never do.
until $kubectl logs --follow --container rollout "$job" 2>/dev/null || ended; do sleep 1; done
until ended; do sleep 1; done
code=$($kubectl get pods --selector "job-name=${job#*/}" --output \
  'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')
exit "${code:-1}"
