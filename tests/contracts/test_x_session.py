"""The session under tweepy: whom it signs for, what it never sends or shows, which bodies it survives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, Client
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header

from bot.platforms import x
from store import errors
from store.model import MessageKind, Outgoing, Post, Stream, StreamKind

NOW = datetime.fromisoformat("2026-11-20T12:00:00+08:00")
SECRETS = {name: f"secret-of-{name}" for name in x.SECRETS}
STREAM = Stream("x", StreamKind.HASHTAG, "随手拍")
JSON = {"Content-Type": "application/json"}


def build(base_url: str) -> Any:
    """The X platform with made-up tokens, pointed at ``base_url``."""
    settings = x.Settings(base_url=base_url, user_id="1700000000000000001", handle="suishoupai_bot", timeout_s=2)
    return x.build(settings, SECRETS, lambda: NOW)


def read(base_url: str) -> Any:
    """One page of the hashtag."""
    return build(base_url).read(STREAM, None, None, NOW)


def test_requests_are_signed_for_the_address_they_go_to(server: Any) -> None:
    """OAuth 1.0a signs the URL: what is sent to base_url carries a signature made for base_url, not for tweepy's own host."""
    server.play({"status": 201, "json": {"data": {"id": "99", "text": "a"}}})
    build(server.url + "/x").say(Outgoing(MessageKind.DIGEST, "a S-4F7K", "S-4F7K"))
    (request,) = server.requests
    told = dict(parse_authorization_header(request.headers["Authorization"]))
    keys = [SECRETS[f"X_{name}"] for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")]
    client = Client(*keys, signature_method=SIGNATURE_HMAC_SHA1, nonce=told["oauth_nonce"], timestamp=told["oauth_timestamp"])
    _, headers, _ = client.sign(f"{server.url}/x/2/tweets", "POST")
    assert told["oauth_signature"] == dict(parse_authorization_header(headers["Authorization"]))["oauth_signature"]


def test_a_netrc_entry_does_not_replace_the_token(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """requests would put a ~/.netrc entry of the host over the bearer token; it does not here."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.play({"json": {"meta": {"result_count": 0}}})
    platform = build(server.url)
    platform._client.session.trust_env = True  # as it is for every address but this machine's own
    platform.read(STREAM, None, None, NOW)
    assert server.requests[0].headers["Authorization"] == "Bearer secret-of-X_BEARER_TOKEN"


def test_no_proxy_stands_between_the_bot_and_its_own_machine(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment, as operators need one to reach X, is not used towards the local microblog."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.play({"json": {"meta": {"result_count": 0}}})
    assert read(server.url).posts == ()


def test_a_redirect_is_not_followed(server: Any) -> None:
    """The API does not redirect; following one would carry a request to a stranger."""
    server.play({"status": 307, "text": "", "headers": {"Location": f"{server.url}/elsewhere"}}, {"json": {"meta": {}}})
    with pytest.raises(errors.Blocked):
        read(server.url)
    assert len(server.requests) == 1


def test_text_that_no_database_takes_is_made_storable(server: Any) -> None:
    """A halved emoji and a NUL, which JSON can carry, arrive as text that UTF-8 and SQL can hold, in the raw body as well."""
    body = '{"data": [{"id": "2123614809093046273", "author_id": "17", "text": "\\ud83d \\u0000\\ud83d\\ude00"}], "meta": {}}'
    server.play({"text": body, "headers": JSON})
    (post,) = read(server.url).posts
    assert isinstance(post, Post)
    assert post.text == "\ufffd 😀"
    assert "\\x00" not in repr(post.raw)
    repr(post.raw).encode()


@pytest.mark.parametrize("body", ['{"data": ' + "[" * 100_000, '{"data": [' + "9" * 10_000 + "]", '{"a": NaN', "[]", "", "null"])
def test_an_unreadable_body_is_a_bad_response(server: Any, body: str) -> None:
    """JSON nested deeper than the parser goes, numbers beyond it, other JSON and none at all: unreadable, not a crash."""
    server.play({"text": body, "headers": JSON})
    with pytest.raises(errors.BadResponse, match="X GET /2/tweets/search/recent"):
        read(server.url)


def test_a_body_without_measure_is_cut_off(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body larger than any answer is not read to its end."""
    monkeypatch.setattr("bot.platforms._http.MAX_BODY_BYTES", 100_000)
    server.play({"text": '{"meta": {}, "x": "' + "x" * 200_000 + '"}', "headers": JSON})
    with pytest.raises(errors.Unreachable, match="no complete answer"):
        read(server.url)


def test_an_echoed_token_does_not_reach_the_error(server: Any) -> None:
    """A server that repeats the token in its error text does not get it into ours."""
    problem = {"title": "Unauthorized", "detail": f"bad token {SECRETS['X_BEARER_TOKEN']}", "type": "about:blank"}
    server.play({"status": 401, "json": problem})
    with pytest.raises(errors.Unauthorised, match=r"bad token \*\*\*"):
        read(server.url)


@pytest.mark.parametrize(
    "body", [{"detail": 17, "errors": "x"}, {"errors": [None, 1]}, {"errors": [{"message": {}}]}, [1], "x", None]
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_an_error_of_any_shape_keeps_the_meaning_of_its_status(server: Any, body: Any, status: int) -> None:
    """tweepy's own error classes fail on such bodies with TypeError or AttributeError; here the status still decides."""
    expected = {401: errors.Unauthorised, 403: errors.Unauthorised, 429: errors.RateLimited}
    server.play({"status": status, "json": body, "headers": {"x-rate-limit-reset": "soon"}})
    with pytest.raises(expected.get(status, errors.BadResponse)):
        read(server.url)


def test_a_request_time_out_told_by_the_server_is_doubtful(server: Any) -> None:
    """408 is a 4xx that says nothing about what became of the message."""
    server.play({"status": 408, "json": {"title": "Request Timeout"}})
    with pytest.raises(errors.Doubtful):
        build(server.url).say(Outgoing(MessageKind.DIGEST, "a S-4F7K", "S-4F7K"))


def test_a_look_up_that_says_nothing_deletes_nothing(server: Any) -> None:
    """An answer that names none of the ids asked for is no news of any of them."""
    server.play({"json": {}})
    with pytest.raises(errors.BadResponse):
        build(server.url).look_up(["1992000000000000001"])


def test_an_author_who_is_gone_is_not_a_post_that_is_gone(server: Any) -> None:
    """X names missing users in the same list; an id of theirs that equals a post's deletes no post."""
    gone = {"resource_id": "1992000000000000001", "type": "https://api.twitter.com/2/problems/resource-not-found"}
    post = {"id": "1992000000000000002", "text": "a", "author_id": "1992000000000000001"}
    server.play({"json": {"data": [post], "errors": [{**gone, "resource_type": "user"}]}})
    found = build(server.url).look_up(["1992000000000000001", "1992000000000000002"])
    assert found.gone == ()


def test_an_untrusted_certificate_is_certain(server: Any, tmp_path: Any) -> None:
    """Where the server's certificate is not valid the request never left, in both directions."""
    import ssl
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    https = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    https.socket = context.wrap_socket(https.socket, server_side=True)
    thread = threading.Thread(target=https.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        url = f"https://127.0.0.1:{https.server_address[1]}"
        with pytest.raises(errors.Unreachable):
            read(url)
        with pytest.raises(errors.Unreachable):
            build(url).say(Outgoing(MessageKind.DIGEST, "a S-4F7K", "S-4F7K"))
    finally:
        https.shutdown()
        https.server_close()
        thread.join(5)


def _self_signed(folder: Any) -> str:
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=365))
        .not_valid_after(NOW + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)
