#!/bin/sh
# What the image of TensorFlow Serving has in /usr/bin under the same name: the server, to which flags
# are added. Base paths such as /models/us_bills are the container's own: --models_root stands for no
# other. Rollouts reload from another container: who may reach the port is for its network to say.
exec python3 -m serving --host=0.0.0.0 --models_root= --reload_config_from_any_peer "$@"
