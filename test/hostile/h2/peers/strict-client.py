"""A client of HTTP/2 that is not ours: python3-h2, which checks every frame and field that it is sent.

Usage: strict-client.py HOST PORT [CA SERVERNAME]. With a CA it asks for a tunnel and speaks TLS inside.
Sends GET, HEAD, POST, POST with trailers, an upload beyond every window, twenty streams at once, a stream
that it resets and a PING, all on one connection, and prints one JSON object: status and octets by request.
Fails where h2 finds an error of the protocol, or where nothing comes for 20 s.
"""
import json
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events

UPLOAD = 3 * 1024 * 1024


def connect(host, port, ca, servername):
    raw = socket.create_connection((host, port), timeout=20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ca is None:
        return raw
    target = f"{servername}:443"
    raw.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    wrapped = context.wrap_socket(raw, server_hostname=servername)
    assert wrapped.selected_alpn_protocol() == "h2"
    return wrapped


class Client:
    def __init__(self, sock, authority, scheme):
        self.sock = sock
        self.authority = authority
        self.scheme = scheme
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.conn = h2.connection.H2Connection(config)
        self.conn.initiate_connection()
        self.answers = {}
        self.ended = set()
        self.pongs = 0
        self.flush()

    def flush(self):
        self.sock.sendall(self.conn.data_to_send())

    def open(self, method, path, end=True, extra=()):
        stream = self.conn.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":path", path)]
        head += [(":authority", self.authority), ("user-agent", "python3-h2"), *extra]
        self.conn.send_headers(stream, head, end_stream=end)
        self.answers[stream] = {"status": None, "octets": 0}
        self.flush()
        return stream

    def receive(self):
        data = self.sock.recv(65536)
        assert data, "the connection ended"
        for event in self.conn.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id]["status"] = dict(event.headers)[":status"]
            elif isinstance(event, h2.events.DataReceived):
                self.answers[event.stream_id]["octets"] += len(event.data)
                self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.PingAckReceived):
                self.pongs += 1
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise AssertionError(repr(event))
        self.flush()

    def wait(self, *streams):
        while not self.ended.issuperset(streams):
            self.receive()

    def upload(self, stream, size):
        left = size
        while left > 0:
            room = min(left, self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            left -= room
            self.conn.send_data(stream, b"x" * room, end_stream=left == 0)
            self.flush()


def main(host, port, ca=None, servername=None):
    sock = connect(host, int(port), ca, servername)
    client = Client(sock, servername or f"{host}:{port}", "http" if ca is None else "https")
    told = {}

    def tell(name, stream):
        client.wait(stream)
        told[name] = [client.answers[stream]["status"], client.answers[stream]["octets"]]

    tell("get", client.open("GET", "/case/get"))
    tell("head", client.open("HEAD", "/case/head"))
    post = client.open("POST", "/case/post", end=False, extra=[("content-length", "4")])
    client.conn.send_data(post, b"ping", end_stream=True)
    client.flush()
    tell("post", post)
    trailing = client.open("POST", "/case/trailers", end=False, extra=[("trailer", "x-sum")])
    client.conn.send_data(trailing, b"ping")
    client.conn.send_headers(trailing, [("x-sum", "4")], end_stream=True)
    client.flush()
    tell("trailers", trailing)
    large = client.open("POST", "/case/upload", end=False, extra=[("content-length", str(UPLOAD))])
    client.upload(large, UPLOAD)
    tell("upload", large)
    many = [client.open("GET", f"/case/a-slow-{i}") for i in range(20)]
    client.wait(*many)
    told["many"] = sorted({tuple(client.answers[stream].values()) for stream in many})
    reset = client.open("POST", "/case/reset", end=False)
    client.conn.reset_stream(reset, error_code=8)
    client.conn.ping(b"12345678")
    client.flush()
    while client.pongs == 0:
        client.receive()
    tell("after", client.open("GET", "/case/after"))
    client.conn.close_connection()
    client.flush()
    print(json.dumps(told))


main(*sys.argv[1:])
