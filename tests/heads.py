"""What tests need that start the head of a cluster: a command as a process of its own, and ports."""

import socket
import sys

COMMAND = (sys.executable, "-c", "from blemish.cli.main import main; main()")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, none of them twice."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as each:
        return each.connect_ex(("127.0.0.1", port)) == 0
