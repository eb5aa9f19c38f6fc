"""Downloading a photo that a stranger's post names."""

from __future__ import annotations

import datetime
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.addresses import check_url
from ingest.fetch import FetchLimits, fetch_photo
from store.errors import PhotoGone, PhotoRefused, PhotoUnavailable, SuishoupaiError

Route = Callable[[BaseHTTPRequestHandler], None]


def picture(side: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).save(buffer, "JPEG")
    return buffer.getvalue()


PHOTO = picture()


class PhotoHost:
    """A web server on loopback whose answers each test writes by path; it keeps the requests it saw."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                try:
                    outer.routes[self.path](self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def hosts(self) -> tuple[str, ...]:
        return (f"127.0.0.1:{self.port}",)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def fetch(self, *paths: str, limits: FetchLimits | None = None, settle: bool = False) -> bytes:
        urls = [self.url(path) for path in paths]
        return fetch_photo(urls, hosts=self.hosts, headers={}, limits=limits, allow_loopback=True, settle=settle)


@pytest.fixture
def host() -> Iterator[PhotoHost]:
    server = PhotoHost()
    yield server
    server.close()


def sends(body: bytes, status: int = 200, **headers: str) -> Route:
    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return route


def drips(host: PhotoHost, head: bytes) -> Route:
    """Sends ``head``, then one byte at a time until the test is over."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while not host.stop.wait(0.02):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    return route


def test_bytes_arrive_as_they_were_sent(host: PhotoHost) -> None:
    """The photo comes back byte for byte, and the platform's own headers went with the request."""
    host.routes["/large.jpg"] = sends(PHOTO)
    got = fetch_photo([host.url("/large.jpg")], hosts=host.hosts, headers={"Referer": "https://weibo.com/"}, allow_loopback=True)
    assert got == PHOTO
    assert host.seen[0][1]["referer"] == "https://weibo.com/"
    assert host.seen[0][1]["accept-encoding"] == "identity"


def test_type_is_read_from_the_bytes(host: PhotoHost) -> None:
    """A photo with a wrong Content-Type is taken; a page that calls itself image/jpeg is refused."""
    host.routes["/odd.jpg"] = sends(PHOTO, Content_Type="text/html")
    host.routes["/page.jpg"] = sends(b"<html>please log in</html>", Content_Type="image/jpeg")
    assert host.fetch("/odd.jpg") == PHOTO
    with pytest.raises(PhotoRefused, match="not a JPEG"):
        host.fetch("/page.jpg")


def test_sizes_are_tried_from_large_to_small(host: PhotoHost) -> None:
    """A size that is gone, too large or no photo gives way to the next one."""
    host.routes["/a"] = sends(b"", 404)
    host.routes["/b"] = sends(PHOTO + bytes(5000))
    host.routes["/c"] = sends(b"GIF89b")
    host.routes["/d"] = sends(PHOTO)
    assert host.fetch("/a", "/b", "/c", "/d", limits=FetchLimits(max_bytes=len(PHOTO))) == PHOTO
    assert [path for path, _ in host.seen] == ["/a", "/b", "/c", "/d"]


@pytest.mark.parametrize("status", [403, 404, 410, 451])
def test_gone_is_told_apart(host: PhotoHost, status: int) -> None:
    """A photo that no longer exists is PhotoGone, which is final."""
    host.routes["/x"] = sends(b"", status)
    with pytest.raises(PhotoGone):
        host.fetch("/x", "/x")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_bad_minute_is_not_final(host: PhotoHost, status: int) -> None:
    """5xx and 429 ask for another try later, and a thumbnail does not take the large photo's place meanwhile."""
    host.routes["/large"] = sends(b"", status)
    host.routes["/small"] = sends(PHOTO)
    with pytest.raises(PhotoUnavailable):
        host.fetch("/large", "/small")
    assert [path for path, _ in host.seen] == ["/large"]


def test_the_last_try_settles_for_a_smaller_size(host: PhotoHost) -> None:
    """With ``settle`` a size that cannot be had now gives way too, so that a broken large size does not cost the sighting."""
    host.routes["/large"] = sends(b"", 503)
    host.routes["/small"] = sends(PHOTO)
    assert host.fetch("/large", "/small", settle=True) == PHOTO


def test_a_mixed_failure_may_be_tried_again(host: PhotoHost) -> None:
    """If one size is gone and another could not be had now, the photo counts as not had *now*."""
    host.routes["/gone"] = sends(b"", 404)
    host.routes["/busy"] = sends(b"", 503)
    with pytest.raises(PhotoUnavailable):
        host.fetch("/gone", "/busy", settle=True)


@pytest.mark.parametrize("declared", [True, False])
def test_bytes_are_capped(host: PhotoHost, declared: bool) -> None:
    """More bytes than allowed are refused by the declared length, and by counting where none (or a false one) is declared."""
    body = PHOTO + bytes(300_000)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)

    host.routes["/big"] = sends(body) if declared else endless
    with pytest.raises(PhotoRefused, match="larger than"):
        host.fetch("/big", limits=FetchLimits(max_bytes=100_000))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n\xff\xd8\xff",
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xd8\xff",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["status line", "header", "body of known length", "body without length", "chunk size"],
)
def test_slow_loris_ends_at_the_deadline(host: PhotoHost, head: bytes) -> None:
    """A server that keeps the connection alive with single bytes is left at the deadline, wherever it drips."""
    host.routes["/slow"] = drips(host, head)
    with pytest.raises(PhotoUnavailable):  # the drip itself never ends: without the deadline this would hang
        host.fetch("/slow", limits=FetchLimits(total_s=0.4, read_s=0.3))


def test_a_dripping_tls_handshake_ends_at_the_deadline() -> None:
    """The deadline reaches into the TLS handshake too, where the socket has already changed hands."""
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a long handshake record begins
            try:
                while not done.wait(0.02):
                    connection.sendall(b"\0")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        try:
            limits = FetchLimits(total_s=0.4, read_s=0.3)
            with pytest.raises(PhotoUnavailable):
                fetch_photo([f"https://{place}/"], hosts=[place], headers={}, limits=limits, allow_loopback=True)
            assert not done.is_set()
        finally:
            done.set()
            thread.join()


def test_a_cut_off_body_is_tried_again(host: PhotoHost) -> None:
    """Fewer bytes than announced are no photo, but worth another try."""

    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PHOTO) + PHOTO[:-100])

    host.routes["/cut"] = cut
    with pytest.raises(PhotoUnavailable):
        host.fetch("/cut")


def test_reset_and_refused_connections_are_tried_again(host: PhotoHost) -> None:
    """A reset in the middle and a port where nobody listens are both not-now."""

    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        handler.connection.close()

    host.routes["/reset"] = reset
    with pytest.raises(PhotoUnavailable):
        host.fetch("/reset")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(PhotoUnavailable):
            fetch_photo([f"http://127.0.0.1:{port}/"], hosts=[f"127.0.0.1:{port}"], headers={}, allow_loopback=True)


def test_compressed_bodies_are_not_unpacked(host: PhotoHost) -> None:
    """A gzip body is refused as what it is; nothing unfolds it."""
    import gzip

    host.routes["/zip"] = sends(gzip.compress(PHOTO + bytes(10_000_000)), Content_Encoding="gzip")
    with pytest.raises(PhotoRefused, match="not a JPEG"):
        host.fetch("/zip")


def test_redirects_are_followed_within_the_hosts(host: PhotoHost) -> None:
    """A redirect on the platform's own host, relative or absolute, leads to the photo."""
    host.routes["/one"] = sends(b"", 302, Location="/two?x=1")
    host.routes["/two?x=1"] = sends(b"", 307, Location=host.url("/three"))
    host.routes["/three"] = sends(PHOTO)
    assert host.fetch("/one") == PHOTO


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/x.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/x.jpg",
        "http://[::ffff:127.0.0.1]/x.jpg",
        "http://[",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x.jpg",
        "//example.org/x.jpg",
        "http://user:secret@127.0.0.1/x.jpg",
        "",
    ],
)
def test_redirects_elsewhere_are_refused(host: PhotoHost, location: str) -> None:
    """Every step of a redirect is held against the host list: no metadata service, no file, no inner address."""
    host.routes["/out"] = sends(b"", 302, Location=location)
    with pytest.raises(PhotoRefused):
        host.fetch("/out")
    assert len(host.seen) == 1


def test_redirect_circles_end(host: PhotoHost) -> None:
    """At most three redirects are followed."""
    host.routes["/circle"] = sends(b"", 301, Location="/circle")
    with pytest.raises(PhotoRefused, match="redirects"):
        host.fetch("/circle")
    assert len(host.seen) == 4


@pytest.mark.parametrize(
    "url",
    [
        "https://sinaimg.cn.evil.example/x.jpg",
        "https://evilsinaimg.cn/x.jpg",
        "https://sinaimg.cn/x.jpg",
        "https://wx1.sinaimg.cn:8443/x.jpg",
        "https://wx1.sinaimg.cn@evil.example/x.jpg",
        "https://user:password@wx1.sinaimg.cn/x.jpg",
        "https://evil.example#.sinaimg.cn/x.jpg",
        "https://evil.example\\.sinaimg.cn/x.jpg",
        "https://wx1.sinaimg.cn /x.jpg",
        "https://wx1.sinaimg.cn/x.jpg\r\nHost: evil.example",
        "gopher://wx1.sinaimg.cn/x.jpg",
        "javascript:alert(1)",
        "wx1.sinaimg.cn/x.jpg",
        "https:///x.jpg",
        "https://wx1.sinaimg.cn/" + "a" * 3000,
        "",
    ],
)
def test_only_the_platforms_hosts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look-alikes, other ports, user info, other schemes and control characters are refused before any name is looked up."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked a name up"))
    with pytest.raises(PhotoRefused):
        fetch_photo([url], hosts=["*.sinaimg.cn"], headers={})


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.text("wx1.sinaimg.cn@:/\\#?[]%0evil2ｓ。．\t ", max_size=40).map(lambda middle: f"https://{middle}"),
        st.text("@:/\\#?[]%evil.", max_size=8).map(lambda middle: f"https://evil.example{middle}wx1.sinaimg.cn/x.jpg"),
    )
)
def test_no_spelling_of_an_address_slips_past(url: str) -> None:
    """Whatever the spelling, an accepted address is on an allowed host and port, and other readers of URLs see the same host."""
    try:
        target = check_url(url, ["*.sinaimg.cn"])
    except PhotoRefused:
        return
    assert target.scheme in ("http", "https")
    assert (target.host or "").endswith(".sinaimg.cn")
    assert target.port in (80, 443)
    assert target.auth is None
    assert (urlsplit(target.url).hostname or "") == target.host


PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("::1", "::", "::10.0.0.1", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001::1", "2001:db8::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "64:ff9b::7f00:1", "2002:7f00:1::1"),
]


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str, seen: list[str] | None = None) -> None:
    def getaddrinfo(name: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        if seen is not None:
            seen.append(name)
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("address", PRIVATE)
def test_names_that_lead_inside_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An allowed name that leads into a private, local, reserved or embedding range is refused, even beside a public address."""
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    resolves_to(monkeypatch, "93.184.216.34", address)
    with pytest.raises(PhotoRefused, match="private"):
        fetch_photo(["https://wx1.sinaimg.cn/x.jpg"], hosts=["*.sinaimg.cn"], headers={})


def test_loopback_is_admitted_only_where_asked(host: PhotoHost) -> None:
    """Without ``allow_loopback`` even a listed loopback address is refused; with it, other private addresses still are."""
    host.routes["/x"] = sends(PHOTO)
    with pytest.raises(PhotoRefused, match="private"):
        fetch_photo([host.url("/x")], hosts=host.hosts, headers={})
    with pytest.raises(PhotoRefused, match="private"):
        fetch_photo(["http://10.0.0.1/x"], hosts=["10.0.0.1"], headers={}, allow_loopback=True)


def test_the_checked_address_is_the_one_connected_to(host: PhotoHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is resolved once a request and the connection goes to that very address: rebinding finds no second look-up."""
    seen: list[str] = []
    resolves_to(monkeypatch, "::1", "127.0.0.1", seen=seen)  # nobody listens on ::1: the next checked address is tried
    dialled: list[object] = []
    connect = socket.socket.connect

    def spy(self: socket.socket, address: object) -> None:
        dialled.append(address)
        connect(self, address)  # type: ignore[arg-type]

    def dial(address: tuple[str, int], timeout: float) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        try:
            sock.settimeout(timeout)
            spy(sock, address)
        except OSError:
            sock.close()
            raise
        return sock

    monkeypatch.setattr(socket, "create_connection", dial)
    host.routes["/x"] = sends(PHOTO)
    url = f"http://photos.example:{host.port}/x"
    assert fetch_photo([url], hosts=[f"photos.example:{host.port}"], headers={}, allow_loopback=True) == PHOTO
    assert seen == ["photos.example"]
    assert dialled == [("::1", host.port), ("127.0.0.1", host.port)]
    assert host.seen[0][1]["host"] == f"photos.example:{host.port}"


def test_a_name_that_does_not_resolve_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS failure is not-now: a resolver's bad minute must not lose a photo."""

    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(PhotoUnavailable, match="could not be resolved"):
        fetch_photo(["https://wx1.sinaimg.cn/x.jpg"], hosts=["*.sinaimg.cn"], headers={})


def test_a_stuck_resolver_does_not_hold_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name resolution counts into the total time."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    try:
        with pytest.raises(PhotoUnavailable, match="time-out"):
            fetch_photo(["https://wx1.sinaimg.cn/x.jpg"], hosts=["*.sinaimg.cn"], headers={}, limits=FetchLimits(total_s=0.1))
    finally:
        released.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for photos.example and its key, as files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "photos.example")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * 50))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("photos.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.fixture
def tls_host(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoHost]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = PhotoHost(context)
    monkeypatch.setattr(certifi, "where", lambda: certificate[0])
    yield server
    server.close()


def test_tls_proves_the_name_over_the_pinned_address(tls_host: PhotoHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate must be the name's, though the connection goes to an address: another name's certificate is refused."""
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: real(("127.0.0.1", tls_host.port), timeout))
    resolves_to(monkeypatch, "127.0.0.1")
    tls_host.routes["/x"] = sends(PHOTO)
    right, wrong = f"photos.example:{tls_host.port}", f"other.example:{tls_host.port}"
    assert fetch_photo([f"https://{right}/x"], hosts=[right], headers={}, allow_loopback=True) == PHOTO
    with pytest.raises(PhotoUnavailable, match="SSLError"):
        fetch_photo([f"https://{wrong}/x"], hosts=[wrong], headers={}, allow_loopback=True)


def test_errors_carry_no_address_beyond_the_host(host: PhotoHost) -> None:
    """Queries and headers may hold tokens: no error text, nor its causes, repeats them."""
    host.routes["/x?access_token=SECRET"] = sends(b"", 500)
    host.routes["/y?access_token=SECRET"] = sends(b"nothing")
    for path in ("/x?access_token=SECRET", "/y?access_token=SECRET"):
        with pytest.raises(SuishoupaiError) as caught:
            fetch_photo([host.url(path)], hosts=host.hosts, headers={"Authorization": "SECRET"}, allow_loopback=True)
        error: BaseException | None = caught.value
        while error is not None:
            assert "SECRET" not in str(error)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_no_address_at_all_is_refused() -> None:
    """A picture without any URL is final, not a crash."""
    with pytest.raises(PhotoRefused):
        fetch_photo([], hosts=["*.sinaimg.cn"], headers={})
