"""The whole job as an addon of mitmdump: routes by the model, swaps the key, notes what was used.

Streams are passed on piece by piece; only the pieces that tell of usage are kept.
"""

import json
import os

ADDRESS = ("127.0.0.1", int(os.environ["BENCH_UPSTREAM_PORT"]))
SECOND_KEY = os.environ["BENCH_SECOND_KEY"]
NOTES = open(os.environ["BENCH_USAGE_FILE"], "a", buffering=1)


def note(flow, text):
    start = text.rfind('"usage":')
    end = text.find("}", start)
    usage = json.loads(text[start + len('"usage":') : end + 1]) if start >= 0 and end >= 0 else None
    NOTES.write(json.dumps({"model": flow.metadata["model"], "usage": usage}) + "\n")


class Job:
    def server_connect(self, data):
        data.server.address = ADDRESS

    def request(self, flow):
        model = json.loads(flow.request.content)["model"]
        flow.metadata["model"] = model
        if "haiku" in model:
            flow.request.path = "/api/anthropic" + flow.request.path
            flow.request.headers["host"] = "api.z.ai"
            flow.request.headers.pop("authorization", None)
            flow.request.headers["x-api-key"] = SECOND_KEY

    def responseheaders(self, flow):
        if not flow.response.headers.get("content-type", "").startswith("text/event-stream"):
            return
        kept = []

        def piece(data):
            if not data:
                note(flow, b"".join(kept).decode())
            elif b'"usage"' in data:
                kept.append(data)
            return data

        flow.response.stream = piece

    def response(self, flow):
        if not flow.response.stream:
            note(flow, flow.response.text)


addons = [Job()]
