# Nothing but the versions, for deploy/kubernetes/components/models-image.
FROM scratch
COPY . /
