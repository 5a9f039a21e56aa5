"""From photos to the models' answers: decode, ask the model server, read its outputs.

Start with `classifier`. `counter` asks a second model for all bills of a photo, `bills` reads its
outputs and says when they forbid a sure answer. `traffic_split` and `shadow` lead a share of the
requests, or copies of them, to a version on trial; `calls` counts how its calls end. May import
`decoding` and `imaging`; knows nothing of HTTP but the client's cookie, by which `traffic_split`
recognises it.
"""
