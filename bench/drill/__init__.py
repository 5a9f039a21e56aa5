"""The drill: a version is taught a new bill and rolled out, with no failed request.

Run it with `python -m bench.drill` or `make drill`. Start with `drill`, which has the stages in
order; `people` does what users and reviewers do on both pages, `pictures` supplies the photos,
`answers` compares the answers.
"""
