#!/bin/bash
# Succeeds when the label `stable` of a model answers: the health check and the probes of the model
# server's containers. A status request would say 200 while nothing is loaded, and AVAILABLE while
# only a version on trial is; this is what the front end's /readyz asks, too.
# Both protocols are asked, gRPC only whether it listens: the local server ends where one is dead.
# Asked of the classifier only: without the counter photos are answered, too.
# The image of TensorFlow Serving has no curl.
exec 4<>/dev/tcp/127.0.0.1/"${3:-8500}" || exit 1
exec 3<>/dev/tcp/127.0.0.1/"${2:-8501}" || exit 1
printf 'GET /v1/models/%s/labels/stable/metadata HTTP/1.0\r\n\r\n' "${1:?the name of a model}" >&3
# All of it is read, so that the server sees no connection cut.
mapfile -t reply <&3
[[ ${reply[*]} == *'"signature_def"'* ]]
