"""The child process that holds the model. Run by its path: it needs nothing of this package.

Reads its options as one line of JSON from stdin and prints its address as one line to stdout.
It watches stdin, which closes however its parent dies, and goes with it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import Any

READY = "FOREWARM-READY "


def main() -> None:
    """Serve until stdin closes."""
    orders = json.loads(sys.stdin.readline())
    parent = threading.Thread(target=_end_with_parent, daemon=True)
    parent.start()
    llama = importlib.import_module("xllamacpp")  # untyped, and only in the extra
    server = llama.Server(_parameters(llama.CommonParams(), orders))
    sys.stdout.write(f"{READY}{server.listening_address}\n")
    sys.stdout.flush()
    parent.join()


def _end_with_parent() -> None:
    sys.stdin.read()
    # llama.cpp's threads are not waited for: a prefill under way would delay the end by seconds.
    os._exit(0)


def _parameters(params: Any, orders: dict[str, Any]) -> Any:
    params.model.path = orders["weights"]
    params.model_alias = {orders["alias"]}
    params.n_ctx = orders["context_tokens"]
    params.n_parallel = 1
    params.use_jinja = True
    params.cache_ram_mib = orders["cache_mib"]
    params.hostnames = [orders["host"]]
    params.port = orders["port"]
    # A batch is finished even when its request was cancelled: small ones let a question in soon.
    params.n_batch = params.n_ubatch = orders["batch_tokens"]
    # A small model rambles at the usual temperature; who sends one of their own gets it.
    params.sampling.temp = 0.2
    params.sampling.penalty_repeat = 1.05
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = f"http://{orders['host']}"
    params.verbosity = 1
    return params


if __name__ == "__main__":
    main()
