"""Photos in an S3-compatible store, against a server that speaks S3: what holds for the folder holds there."""

import hashlib
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bot.commands import doctor
from bot.settings import load_settings
from bot.wiring import open_files
from store import backup, erase, photos, retention, rotate
from store.errors import BadInput, Damaged, NotFound, SettingsError, StoreError
from store.photo_bucket import Bucket
from store.photo_place import Folder
from store.photos import PhotoFiles
from store.session import Store
from store.vault import AesVault

OLD, NEW = os.urandom(32), os.urandom(32)


@pytest.fixture(scope="module")
def s3():
    """An S3 server on a free port of this machine with an empty bucket, and the environment that reaches it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="photos")
    yield environ, client
    server.stop()


@pytest.fixture
def bucket(s3, request) -> Bucket:
    """A prefix of the bucket that no other test uses."""
    return Bucket(f"s3://photos/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}", s3[0])


def stored(s3, bucket: Bucket) -> dict[str, bytes]:
    """Everything under the prefix, as the server's operator sees it."""
    client, prefix = s3[1], bucket.url.removeprefix("s3://photos/")
    found = client.list_objects_v2(Bucket="photos", Prefix=prefix).get("Contents", [])
    return {o["Key"]: client.get_object(Bucket="photos", Key=o["Key"])["Body"].read() for o in found}


def test_a_photo_is_kept_once_sealed_and_given_back(s3, bucket):
    """Putting the same bytes twice keeps one object; the server sees no byte of the picture; deleting says what was there."""
    files = PhotoFiles(bucket, AesVault([NEW]))
    name = files.put(b"a child's picture")
    assert files.put(b"a child's picture") == name
    assert files.get(name) == b"a child's picture"
    assert list(files.all()) == [name]
    [(key, body)] = stored(s3, bucket).items()
    assert key.endswith(f"/{name[:2]}/{name}")
    assert b"child" not in body
    assert files.delete(name)
    assert not files.delete(name)
    with pytest.raises(NotFound):
        files.get(name)


def test_what_was_changed_there_is_damaged_not_shown(s3, bucket):
    """An object that somebody exchanged is an error; putting the photo again mends it."""
    files = PhotoFiles(bucket, AesVault([NEW]))
    name, other = files.put(b"picture"), files.put(b"other")
    key = f"{bucket.url.removeprefix('s3://photos/')}/{name[:2]}/{name}"
    s3[1].put_object(Bucket="photos", Key=key, Body=files.sealed(other))
    with pytest.raises(Damaged):
        files.get(name)
    files.put(b"picture")
    assert files.get(name) == b"picture"


def test_erasing_takes_the_object_away(s3, bucket, store, make_photo, tmp_path):
    """A photo erased on request leaves no object behind."""
    files = PhotoFiles(bucket, store.vault, beside=tmp_path)
    name = files.put(b"picture 1")
    with store.write() as tx:
        make_photo(tx, name)
    erase.erase_photo(store, files, name, by="operator", why="asked")
    assert stored(s3, bucket) == {}


def test_objects_without_a_row_are_swept_once_they_are_old(bucket, store, make_photo):
    """A photo whose process died before its row goes away; one with a row, or put lately, stays."""
    files = PhotoFiles(bucket, store.vault)
    kept, stray = files.put(b"picture 1"), files.put(b"stray")
    with store.write() as tx:
        make_photo(tx, kept)
    assert not files.older(stray, datetime.now(UTC) - timedelta(hours=1))
    assert retention.sweep_files(store, files, timedelta(days=20_000)) == 0
    with store.read() as tx:
        ahead = tx.now - datetime.now(UTC)
    assert retention.sweep_files(store, files, ahead - timedelta(hours=1)) == 1
    assert list(files.all()) == [kept]


def test_rotating_the_key_reseals_every_object(s3, bucket, store):
    """After a rotation the old key opens nothing that is kept there."""
    name = PhotoFiles(bucket, AesVault([OLD])).put(b"picture")
    before = stored(s3, bucket)
    files = PhotoFiles(bucket, AesVault([NEW, OLD]))
    told = rotate.rotate(Store(store.url, lambda: datetime.now(UTC), store.vault), files)
    assert told["photos"] == 1
    assert stored(s3, bucket) != before
    assert PhotoFiles(bucket, AesVault([NEW])).get(name) == b"picture"
    with pytest.raises(StoreError):
        PhotoFiles(bucket, AesVault([OLD])).get(name)


def test_a_backup_of_a_bucket_is_restored_into_a_folder_and_back(bucket, tmp_path, clock):
    """A backup holds the photos of the bucket as they are sealed; it comes back into a folder or into a bucket."""
    live = Store(f"sqlite:///{tmp_path / 'a.sqlite'}", clock, AesVault([NEW]))
    live.migrate()
    files = PhotoFiles(bucket, live.vault)
    name = files.put(b"picture")
    with live.write() as tx:
        photos.save(tx, sha256=name, phash="0f" * 8, width_px=1, height_px=1, format="PNG", size_bytes=7)
    assert backup.backup(live, files, tmp_path / "copy").photos == 1
    files.delete(name)
    for number, place in enumerate((Folder(tmp_path / "photos"), bucket)):
        again = Store(f"sqlite:///{tmp_path / f'new{number}.sqlite'}", clock, AesVault([NEW]))
        backup.restore(tmp_path / "copy", again, PhotoFiles(place, again.vault))
        assert PhotoFiles(place, again.vault).get(name) == b"picture"
        again.close()
    live.close()


def test_a_bucket_that_is_not_there_is_no_empty_one(s3):
    """A wrong bucket is said at the start, and never taken for missing photos."""
    wrong = Bucket("s3://photoz/x", s3[0])
    for ask in (wrong.check, lambda: wrong.read("a" * 64), lambda: wrong.write("a" * 64, b"x"), lambda: list(wrong.names())):
        with pytest.raises(StoreError) as caught:
            ask()
        assert not isinstance(caught.value, NotFound)
        assert "photos_url" in caught.value.mend


def test_a_store_that_does_not_answer_is_a_clear_error(s3):
    """Nobody listens: every request is a StoreError that tells where to look and holds no key."""
    dead = Bucket("s3://photos/x", {**s3[0], "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    for ask in (dead.check, lambda: dead.read("a" * 64), lambda: dead.write("a" * 64, b"x"), lambda: dead.remove("a" * 64)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert not isinstance(caught.value, NotFound)
        assert "s3://photos/x" in str(caught.value)
        assert "testing-secret" not in str(caught.value) + caught.value.mend


@pytest.mark.parametrize("url", ["http://x/y", "s3://", "s3://key:secret@bucket/x", "s3:bucket", "s3://b/x?region=y"])
def test_a_wrong_address_is_refused_with_its_setting(url, tmp_path: Path):
    """Both the settings and the bucket itself refuse what is no s3://BUCKET/PREFIX."""
    with pytest.raises(BadInput, match="photos_url"):
        Bucket(url, {})
    (tmp_path / "config.yaml").write_text(f"store: {{photos_url: '{url}'}}\n")
    with pytest.raises(SettingsError, match=r"store\.photos_url"):
        load_settings(tmp_path / "config.yaml", environ={})


def test_the_settings_choose_the_bucket(s3, bucket, tmp_path: Path, store):
    """store.photos_url takes the place of the folder; endpoint and keys come from the environment alone."""
    (tmp_path / "config.yaml").write_text(f"store: {{photos_url: '{bucket.url}'}}\n")
    files = open_files(load_settings(tmp_path / "config.yaml", environ=s3[0]), store)
    name = files.put(b"picture")
    assert PhotoFiles(bucket, store.vault).get(name) == b"picture"
    assert not (tmp_path / "var").exists()


def test_doctor_asks_the_bucket(s3, bucket, tmp_path: Path):
    """It says that the bucket answers, or what is wrong with it."""
    config = tmp_path / "config.yaml"
    for url, level in ((bucket.url, "ok"), ("s3://photoz", "problem")):
        config.write_text(f"store: {{photos_url: '{url}'}}\n")
        loaded = load_settings(config, environ=s3[0])
        [finding] = doctor._guarded("photos", doctor._photos, loaded)
        assert (finding.part, finding.level) == ("photos", level)
