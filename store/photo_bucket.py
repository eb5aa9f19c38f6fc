"""Sealed photos in an S3-compatible store, through fsspec: for workers on several machines.

What arrives there is ciphertext: the store's operator can neither see a photo nor change one unnoticed. S3's own promises carry
the rest: a PUT is whole or nothing and lasts once it is answered, and every later GET and LIST sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from store.errors import BadInput, NotFound, StoreError

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Names of the environment that may hold the keys; where there are none, the machine's own role is asked."""
_CONNECT_S, _REQUEST_S, _RETRIES, _RETRY_S = 5, 30, 3, 20
_MEND = "check store.photos_url, AWS_ENDPOINT_URL, AWS_REGION, the keys in the environment, and that the bucket is there"

Got = TypeVar("Got")


class Bucket:
    """See :class:`store.photo_place.PhotoPlace`. ``environ`` gives endpoint, region and keys under AWS' own names.

    Raises:
        BadInput: ``url`` is not s3://BUCKET or s3://BUCKET/PREFIX.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        # Imported here: only those who use a bucket pay for loading it.
        from obstore.exceptions import BaseError
        from obstore.fsspec import FsspecStore

        parsed = urlsplit(url)
        if parsed.scheme != "s3" or not parsed.netloc or parsed.query or "@" in parsed.netloc:
            raise BadInput(f"store.photos_url: {url} is no address of a bucket", mend="write it as s3://BUCKET/PREFIX")
        self.url = url.rstrip("/")
        self._bucket, self._root = parsed.netloc, f"{parsed.netloc}/{parsed.path.strip('/')}".rstrip("/")
        self._errors = (BaseError, OSError)
        client: Any = {"allow_http": True, "timeout": f"{_REQUEST_S}s", "connect_timeout": f"{_CONNECT_S}s"}
        retries: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)}
        config: Any = _config(environ)
        self._fs: Any = FsspecStore("s3", config=config, client_options=client, retry_config=retries)

    def __str__(self) -> str:
        return self.url

    def check(self) -> None:
        """One request, so that a wrong address or key is known at the start.

        Raises:
            StoreError: the store does not answer, refuses the key, or has no such bucket.
        """
        self._asked("cannot be reached", lambda: self._list(self._root))

    def write(self, name: str, sealed: bytes) -> None:
        """See :class:`PhotoPlace`: one PUT."""
        self._asked("takes no photo", lambda: self._fs.pipe_file(self._path(name), sealed))

    def read(self, name: str) -> bytes:
        """See :class:`PhotoPlace`: one GET."""
        found = self._asked("gives no photo", lambda: _if_there(lambda: self._fs.cat_file(self._path(name))))
        if found is None:
            raise NotFound(f"the photo {name} is not kept under {self.url}")
        return bytes(found)

    def remove(self, name: str) -> bool:
        """See :class:`PhotoPlace`. S3 does not say whether there was one, so it is asked first. In a bucket with versions,
        let a lifecycle rule remove old ones, or an erased photo's ciphertext stays."""
        if self.written_at(name) is None:
            return False
        self._asked("removes no photo", lambda: self._fs.rm_file(self._path(name)))
        return True

    def names(self) -> Iterator[str]:
        """See :class:`PhotoPlace`: one listing for each of the 256 folders, so that no more than a part is held."""
        for folder in range(256):
            for path in self._asked("lists no photos", lambda part=f"{self._root}/{folder:02x}": self._list(part)):  # type: ignore[misc]
                yield path.rpartition("/")[2]

    def leftovers(self) -> Iterator[str]:
        """See :class:`PhotoPlace`. A PUT that is interrupted leaves nothing that has a name."""
        return iter(())

    def written_at(self, name: str) -> datetime | None:
        """See :class:`PhotoPlace`: one HEAD."""
        found = self._asked("tells nothing of a photo", lambda: _if_there(lambda: self._fs.modified(self._path(name))))
        return None if found is None else found.astimezone(UTC)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}"

    def _list(self, folder: str) -> list[str]:
        return _if_there(lambda: self._fs.ls(folder, detail=False)) or []

    def _asked(self, what: str, ask: Callable[[], Got]) -> Got:
        """The answer to one request; what fails becomes the project's error, without addresses that carry keys."""
        try:
            return ask()
        except self._errors as error:
            words = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise StoreError(f"the photo store {self.url} {what}: {words[:300]}", mend=_MEND) from error


def _if_there(ask: Callable[[], Got]) -> Got | None:
    """The answer, or None where there is no such object. A bucket that is not there is no empty one."""
    try:
        return ask()
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise OSError("there is no such bucket") from error
        return None


def _config(environ: Mapping[str, str]) -> dict[str, Any]:
    wanted = {
        "endpoint": environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"),
        "region": environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "access_key_id": environ.get(SECRETS[0]),
        "secret_access_key": environ.get(SECRETS[1]),
        "session_token": environ.get(SECRETS[2]),
    }
    return {name: value for name, value in wanted.items() if value}
