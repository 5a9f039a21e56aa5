"""Names on the wire that protobuf does not spell for us.

The messages live in our own proto package (see `messages.proto`), so the full names that
TensorFlow Serving listens to are written out here, once for client and server.
"""

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

SIGNATURE_DEF_MAP_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"

DEFAULT_SIGNATURE = "serving_default"
SIGNATURE_FIELD = "signature_def"
BYTES_SUFFIX = "_bytes"
UNLIMITED_MESSAGES = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)
