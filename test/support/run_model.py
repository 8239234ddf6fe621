"""Run a model file on rows of features from standard input; null is a missing value. Prints the outputs as JSON."""

import json
import sys

import numpy
import onnxruntime

rows = json.load(sys.stdin)
features = numpy.array(
    [[numpy.nan if value is None else value for value in row] for row in rows], dtype=numpy.float32
)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(changes,) = session.run(["change"], {"features": features})
print(json.dumps(changes.tolist()))
