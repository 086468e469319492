"""Executes a notebook: shows what its cells print, and hands the executed notebook over
in the log, on lines that begin with a mark."""

import base64
import gzip
import hashlib
import os
import sys
import tempfile

source, mark, shelf = sys.argv[1], sys.argv[2], sys.argv[3]
LIMIT, LINE = int(sys.argv[4]), 4000

# What only this run needs does not belong into a home that a running notebook shares.
os.environ.setdefault("JUPYTER_RUNTIME_DIR", tempfile.mkdtemp())
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

try:
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
except ImportError as error:
    sys.exit("the image cannot execute notebooks: %s; choose another with --image, or pip install nbclient ipykernel" % error)

ended = {sys.stdout: True, sys.stderr: True}


def say(text, stream):
    if text:
        stream.write(text)
        stream.flush()
        ended[stream] = text.endswith("\n")


def line(text, stream):
    say(("" if ended[stream] else "\n") + text + "\n", stream)


class Client(NotebookClient):
    def output(self, outs, msg, *rest):
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            say(content["text"], sys.stderr if content["name"] == "stderr" else sys.stdout)
        elif kind == "error":
            line("\n".join(content["traceback"]), sys.stderr)
        elif kind in ("execute_result", "display_data"):
            text = content["data"].get("text/plain", "")
            line(text if isinstance(text, str) else "".join(text), sys.stdout)
        return super().output(outs, msg, *rest)


def kernel(notebook):
    """Is the notebook's own, or the image's for Python where the image has not got that."""
    spec = notebook.metadata.get("kernelspec", {})
    name, there = spec.get("name", "python3"), KernelSpecManager().find_kernel_specs()
    if name in there:
        return name
    if "python3" in there and spec.get("language", "python") == "python":
        line("the image has no kernel %s: using python3" % name, sys.stderr)
        return "python3"
    sys.exit("the image has no kernel %s: it has %s" % (name, ", ".join(sorted(there)) or "none"))


def hand_over(notebook):
    text = nbformat.writes(notebook).encode()
    packed = base64.b64encode(gzip.compress(text, mtime=0)).decode()
    for stream in (sys.stdout, sys.stderr):
        if not ended[stream]:
            line("", stream)
    if len(packed) > LIMIT:
        at = ""
        if shelf:
            at = os.path.join(shelf, os.path.splitext(os.path.basename(source))[0] + "." + mark + ".executed.ipynb")
            try:
                with open(at, "wb") as file:
                    file.write(text)
            except OSError as error:
                line("%s: %s" % (at, error), sys.stderr)
                at = ""
        print(mark, "large", len(text), at)
        return
    print(mark, "begin", len(packed), hashlib.sha256(text).hexdigest())
    for i in range(0, len(packed), LINE):
        print(mark, packed[i : i + LINE])
    print(mark, "end", flush=True)


notebook = nbformat.read(source, as_version=4)
client = Client(notebook, timeout=None, startup_timeout=300, kernel_name=kernel(notebook), resources={"metadata": {"path": os.getcwd()}})
code = 1
try:
    client.execute()
    code = 0
except CellExecutionError:
    cells = [i for i, c in enumerate(notebook.cells, 1) if any(o.output_type == "error" for o in c.get("outputs", []))]
    line("the notebook has failed in cell %s" % (cells[-1] if cells else "?"), sys.stderr)
except DeadKernelError:
    line("the kernel has died: it may have needed more memory than its limit", sys.stderr)
finally:
    hand_over(notebook)
sys.exit(code)
