"""From photos to the models' answers: decode, ask the model server, read its outputs.

Start with `classifier`. `counter` asks a second model for all bills of a photo, `bills` reads the
counter's outputs and decides when they contradict a sure answer. `traffic_split` and `shadow` send
a share of the requests, or copies of them, to a version on trial; `calls` counts the results of
calls. May import `decoding` and `imaging`. Does not use HTTP, except for the cookie by which
`traffic_split` recognises a client.
"""
