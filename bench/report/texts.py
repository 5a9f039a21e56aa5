"""The paragraphs and plots that accompany the tables of docs/performance.md."""

PEERS_PLOT = (
    "![Bars, a server each: one client's answer in ms, and answers a second of eight clients]"
    "(performance/peers.svg)"
)
SIDE_BY_SIDE_PLOT = (
    "![Bars: milliseconds of an answer, and answers a second](performance/side_by_side.svg)"
)
ABOUT_PEERS = """\
Median time of an answer, and answers a second: the same photo, uploaded as a form, to servers with
the same weights. Memory of the front end is that with its model server, of both when they were
alone; the others shared pages of ONNX Runtime. [What they do beside answering](#beside-speed)
differs more than this does."""
ABOUT_TARGETS = """\
A "bare signature" is the shipped `serving_default` as `tf.saved_model.load` gives it, with one
thread for each operation, called in a loop; two callers are two threads that do so."""
ABOUT_ENGINES = """\
Each engine is called in a loop, without a server. The rows with a session run the signature as the
local server does, with mimalloc. ONNX Runtime, OpenVINO and LiteRT run the network alone, without
calibration, names and second look."""
ABOUT_SYSTEMS = """\
Memory is the proportional set size, which counts shared pages once, while all systems run. That in
the table of targets was measured before the others had started. A "worker" of the front end is a
process that answers, with its two decoding processes."""
