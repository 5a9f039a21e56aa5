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
the same weights. The front ends of this table and of those below count no bills, except in rows
that say so; that of `make run` [counts](operations.md#capacity), and its answers take longer.
Memory of a front end is that with its model server, which has loaded the counter as well. That of
the row `front end` is the peak of the long load, before the others had started; the other rows were
measured while all ran and shared pages of their libraries. [What they do beside
answering](#beside-speed) differs more than this does."""
ABOUT_TARGETS = """\
A "bare signature" is the shipped `serving_default` as `tf.saved_model.load` gives it, with one
thread for each operation, called in a loop; two callers are two threads that do so."""
ABOUT_ENGINES = """\
Each engine is called in a loop, without a server. The rows with a session run the signature as the
local server does, with mimalloc. ONNX Runtime, OpenVINO and LiteRT run the network alone, without
calibration, names and second look."""
ABOUT_SYSTEMS = """\
Memory is the proportional set size, which counts shared pages once, at its highest over the whole
run. For `local server` and `front end` that includes the long load, before the others had started;
the table of targets has the peak of that load alone. A "worker" of the front end is a process that
answers, with its two decoding processes."""
