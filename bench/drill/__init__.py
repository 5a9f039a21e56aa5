"""The drill: a new bill appears, and a version that knows it answers, with no failed request.

`python -m bench.drill`, or `make drill`. Start with `drill`, which has the stages in their order;
`people` is what people do on both pages, `pictures` what they photograph, `answers` what they are
told.
"""
