"""No test reaches the network."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_a_connection_beyond_loopback_fails(address: tuple[str, int]) -> None:
    with pytest.raises(RuntimeError, match="loopback only"):
        socket.create_connection(address, timeout=1)


def test_a_name_on_the_network_is_not_even_looked_up() -> None:
    with pytest.raises(RuntimeError, match=r"'packages\.example\.com'"):
        socket.getaddrinfo("packages.example.com", 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_works(host: str) -> None:
    with socket.create_server((host, 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"
