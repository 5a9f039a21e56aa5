#!/bin/bash
# Succeeds when a version of a model is AVAILABLE: the health check and the probes of the model
# server's containers. A status request answers 200 even while nothing is loaded, and the image of
# TensorFlow Serving has no curl.
exec 3<>/dev/tcp/127.0.0.1/8501 || exit 1
printf 'GET /v1/models/%s HTTP/1.0\r\n\r\n' "${1:?the name of a model}" >&3
grep --quiet '"AVAILABLE"' <&3
