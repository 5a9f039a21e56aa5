"""`python -m serving rollout`: try, promote and take back versions, with no failed request.

It talks to TensorFlow Serving and to the local model server alike. From outside to inside: `main`
(the command line), `moves` and `publish` (each command as named steps), `watch` and `status` (what
goes on), `steps` (runs them, and undoes), `require` (what must be so before), `trial` (is a version
fit to serve), `site` (disk and server as one), `config`, `server`, `disk`, `files` (what these are
made of).
"""
