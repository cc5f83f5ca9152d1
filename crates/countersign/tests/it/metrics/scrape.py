"""Reads metrics as Prometheus would, and prints each sample with its labels as one JSON object.

The parser is the one of Prometheus's own client library; it refuses what is not OpenMetrics.
"""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1], timeout=20) as answer:
    kind = answer.headers["content-type"]
    text = answer.read().decode()
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
samples = {}
for family in text_string_to_metric_families(text):
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        name = f"{sample.name}{{{labels}}}" if labels else sample.name
        assert name not in samples, name
        samples[name] = sample.value
json.dump({"samples": samples, "text": text}, sys.stdout)
