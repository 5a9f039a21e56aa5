"""From photos to the model's answers: decode, ask the model server, read its outputs.

Start with `classifier`. `traffic_split` and `shadow` lead a share of the requests, or copies of
them, to a version on trial. May import `imaging` and `webapp.timings`; knows nothing of HTTP
but the client's cookie, by which `traffic_split` recognises it.
"""
