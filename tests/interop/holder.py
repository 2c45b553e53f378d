"""The program that holds a network of its own (see network.Network); `unshare` starts it in new namespaces.

Its arguments are a hosts file and the number of a socket; it sends the listening socket over it and stays until the
other end is closed.
"""

import fcntl
import socket
import struct
import subprocess
import sys

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_INTERFACE = struct.Struct("16sh22x")
"""struct ifreq of Linux, as far as it is needed: name and flags."""


def main() -> None:
    """Bring up the loopback, take the hosts file for /etc/hosts, listen on the registries' port."""
    hosts, number = sys.argv[1], int(sys.argv[2])
    _loopback_up()
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    with socket.socket(fileno=number) as control, socket.create_server(("127.0.0.1", 443)) as registries:
        socket.send_fds(control, [b"listening"], [registries.fileno()])
        control.recv(1)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _INTERFACE.pack(b"lo", 0))
        name, flags = _INTERFACE.unpack(asked)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _INTERFACE.pack(name, flags | _IFF_UP))


if __name__ == "__main__":
    main()
