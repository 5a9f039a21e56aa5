"""The names of what is measured: the same in the measurements, the report and the commands."""

MODEL = "us_bills"
COUNTER = "us_bills_count"

LOCAL_SERVER = "local server"
FRONT_END, FRONT_END_FLOAT32 = "front end", "front end in float32"
COUNTING = "front end that counts bills"
FASTAPI = "FastAPI + ONNX Runtime"


def contender_name(server: str, photo: str) -> str:
    """Returns the contender's name for uploads of a photo, such as `224 px`, to a server."""
    return f"{server}, {photo} JPEG"


def crowd(clients: int) -> str:
    """Returns a number of clients with its noun."""
    return f"{clients} client{'' if clients == 1 else 's'}"
