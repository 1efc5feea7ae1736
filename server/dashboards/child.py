"""Process in the ml environment that serves one dashboard on a Unix socket; it ends when its stdin is closed.

Run by its path: ``child.py tensorboard SOCKET LOGDIR`` or ``child.py optuna-dashboard SOCKET STUDY``. Both programs
usually listen on a TCP port, which every user of the machine can reach. What they read may be a stranger's, so the
process has a limit of memory.
"""

import os
import resource
import sys
import threading
from pathlib import Path
from urllib.parse import quote

MEMORY_BYTES = 3_000_000_000
"""Most that the process writes to: libraries and an honest log or study take some hundred MB."""


def _serve_tensorboard(socket: str, logdir: str) -> None:
    from tensorboard import default, main_lib, program

    class SocketServer(program.WerkzeugServer):  # type: ignore[misc]
        def get_url(self) -> str:
            """Return an address with a port, which TensorBoard's note about itself must have."""
            return "http://localhost:0/"

    main_lib.global_init()
    tensorboard = program.TensorBoard(default.get_plugins(), server_class=SocketServer)
    # Its faster reader of logs is another process that listens on a TCP port.
    address = ["--host", f"unix://{socket}", "--port", "0", "--load_fast", "false"]
    tensorboard.configure(["tensorboard", *address, "--logdir", logdir])
    tensorboard.main()


def _serve_optuna_dashboard(socket: str, study: str) -> None:
    import logging

    from optuna.storages import RDBStorage
    from optuna_dashboard import wsgi
    from sqlalchemy.engine import URL
    from werkzeug.serving import make_server

    file = f"file:{quote(str(Path(study).absolute()))}"
    url = URL.create("sqlite", database=file, query={"mode": "ro", "uri": "true"}).render_as_string()
    # As optuna-dashboard itself opens a study, but read only.
    storage = RDBStorage(url, skip_compatibility_check=True, skip_table_creation=True)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line for each request
    make_server(f"unix://{socket}", 0, wsgi(storage), threaded=True).serve_forever()


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve = {"tensorboard": _serve_tensorboard, "optuna-dashboard": _serve_optuna_dashboard}[sys.argv[1]]
    serve(*sys.argv[2:])
