"""Vectors, photos and second factors are sealed; keys come from outside; rotation reaches everything."""

from __future__ import annotations

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import cases, faces, gallery, media, people, posts, tombstones
from store.cases import CaseFields
from store.errors import StoreError
from store.keys import Origin, make_key, open_vault, parse_keys, write_key_file
from store.photos import PhotoFiles
from store.rotate import rotate
from store.session import Store
from store.vault import AesVault, PlainVault, open_vector, seal_vector

OLD, NEW = b"o" * 32, b"n" * 32
PACK = "p" * 64


@given(st.binary(max_size=300), st.text(max_size=30))
def test_what_is_sealed_opens_again_and_does_not_show(plain, context):
    """Sealing is undone by opening with the same context; two seals of the same bytes differ."""
    vault = AesVault([OLD])
    sealed = vault.seal(plain, context)
    assert vault.open(sealed, context) == plain
    assert vault.seal(plain, context) != sealed
    assert len(plain) < 8 or plain not in sealed


@pytest.mark.parametrize("vault", [AesVault([NEW]), PlainVault(), AesVault([NEW], accept_plain=True)])
def test_without_its_key_nothing_opens(vault):
    """Another key, or none, is a clear error."""
    with pytest.raises(StoreError, match=r"not at hand|no key") as caught:
        vault.open(AesVault([OLD]).seal(b"secret", "row:1"), "row:1")
    assert caught.value.mend


def test_a_moved_or_changed_value_does_not_open():
    """The context and every byte are authenticated; a cut value is damaged, not a crash."""
    vault = AesVault([OLD])
    sealed = vault.seal(b"secret", "face:1")
    with pytest.raises(StoreError):
        vault.open(sealed, "face:2")
    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        with pytest.raises(StoreError):
            vault.open(changed, "face:1")
        with pytest.raises(StoreError):
            vault.open(sealed[:position], "face:1")


def test_unsealed_bytes_are_refused_once_a_key_is_set():
    """Nobody slips in a value without the key, except while rotation brings the key in."""
    plain = PlainVault().seal(b"value", "row:1")
    with pytest.raises(StoreError, match="not sealed") as caught:
        AesVault([OLD]).open(plain, "row:1")
    assert "rotate" in caught.value.mend
    assert AesVault([OLD], accept_plain=True).open(plain, "row:1") == b"value"


def test_a_sealed_vector_hides_its_bytes(make_face):
    """The stored value holds neither the float16 nor the float32 bytes of the vector."""
    vector = make_face().vector
    sealed = seal_vector(AesVault([OLD]), vector, "face:1")
    assert vector.astype("<f2").tobytes()[:16] not in sealed
    assert float(open_vector(AesVault([OLD]), sealed, "face:1") @ vector) > 0.999


# --- keys -------------------------------------------------------------------------------------------------------


def test_keys_are_read_from_lines_commas_and_comments():
    """The present key stands first; both base64 alphabets are read."""
    one, two = make_key(), make_key()
    assert parse_keys(f"# a comment\n{one},\n {two} # old\n") == [base64.urlsafe_b64decode(one), base64.urlsafe_b64decode(two)]
    assert parse_keys(base64.b64encode(b"\xff" * 32).decode()) == [b"\xff" * 32]


@pytest.mark.parametrize("text", ["", "# nothing", "short", "AAAA", "ключ", "!" * 44, "A" * 43 + "!"])
def test_a_bad_key_is_refused_without_being_shown(text):
    """The message says which key is wrong and never repeats it."""
    with pytest.raises(StoreError) as caught:
        parse_keys(text)
    assert "keys make" in caught.value.mend
    assert not text or text not in str(caught.value)


def test_the_environment_comes_before_the_file_and_the_file_before_nothing(tmp_path):
    """Each origin is told, a key file is made only when asked for, readable by its owner alone."""
    file = tmp_path / "deep" / "key"
    assert open_vault(None, None).origin is Origin.NONE
    assert open_vault(None, file).origin is Origin.NONE
    assert not file.exists()
    made = open_vault(None, file, make=True)
    assert made.origin is Origin.MADE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = open_vault("", file, make=True)
    assert again.origin is Origin.FILE
    assert again.vault.open(made.vault.seal(b"x", "c"), "c") == b"x"
    assert open_vault(make_key(), file).origin is Origin.ENVIRONMENT


def test_an_unreadable_key_is_an_error_not_an_unsealed_start(tmp_path):
    """A key that is there and wrong stops the program: it never goes on without sealing."""
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe not text")
    with pytest.raises(StoreError):
        open_vault(None, file, make=True)
    with pytest.raises(StoreError):
        open_vault("nonsense", None)
    write_key_file(file, [make_key()])
    assert open_vault(None, file).origin is Origin.FILE
    with pytest.raises(StoreError, match="cannot be written"):
        write_key_file(file / "below", [make_key()])


# --- a whole store under a key ----------------------------------------------------------------------------------


def _fill(store: Store, files: PhotoFiles, stream, make_post, make_photo, make_face):
    """One post with a face, one case with a face, one user, one tombstone, two photo files. Returns the vectors."""
    seen, held = make_face(1), make_face(2)
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        one, two = make_photo(tx, files.put(b"a seen picture")), make_photo(tx, files.put(b"a held picture"), "0f" * 8)
        media.mark_stored(tx, 1, one.id)
        faces.save_faces(tx, one.id, "pack", PACK, [seen])
        case = cases.add(tx, CaseFields(name="示例"), "family")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, two.id).id, "pack", PACK, held)
        cases.verify(tx, case.id, "second", "A-1")
        people.add(tx, "reviewer", totp_secret=b"base32secretbase32secret")
        tombstones.put(tx, tombstones.Kind.POST, "weibo", "gone")
    return seen.vector, held.vector


def _check(store: Store, files: PhotoFiles, vectors) -> None:
    with store.read() as tx:
        assert float(next(faces.vectors(tx, PACK)).vector @ vectors[0]) > 0.999
        assert float(gallery.gallery(tx, PACK).vectors[0] @ vectors[1]) > 0.999
        assert people.totp_secret(tx, 1) == b"base32secretbase32secret"
        assert tombstones.Tombstones(tx).stands(tombstones.Kind.POST, "weibo", "gone")
    assert sorted(files.get(name) for name in files.all()) == [b"a held picture", b"a seen picture"]


@pytest.fixture
def everything(stored_bytes):
    """Every byte that a database and a photo folder hold."""
    return lambda store, files: stored_bytes(store) + b"".join(p.read_bytes() for p in files.place.root.rglob("*") if p.is_file())


def _open(store: Store, files: PhotoFiles, vault, clock):
    store.close()
    return Store(store.url, clock, vault), PhotoFiles(files.place.root, vault)


def test_rotation_seals_everything_anew_and_drops_the_old_key(
    store, tmp_path, stream, make_post, make_photo, make_face, clock, everything
):
    """Plain to a first key, then to a second: all values open with the new key alone; a second run has nothing to do."""
    files = PhotoFiles(tmp_path / "photos")
    vectors = _fill(store, files, stream, make_post, make_photo, make_face)
    raw = [vector.astype("<f2").tobytes() for vector in vectors]
    assert all(part in everything(store, files) for part in (*raw, b"base32secretbase32secret"))
    for keys, plain in (([OLD], True), ([NEW, OLD], False)):
        store, files = _open(store, files, AesVault(keys, accept_plain=plain), clock)
        told: list[str] = []
        assert rotate(store, files, lambda progress, told=told: told.append(progress.what)) == {
            "secrets": 1,
            "second factors": 1,
            "case faces": 1,
            "faces": 1,
            "photos": 2,
        }
        assert {"faces", "photos"} <= set(told)
        assert set(rotate(store, files).values()) == {0}
        store, files = _open(store, files, AesVault(keys[:1]), clock)
        _check(store, files, vectors)
        left = everything(store, files)
        assert not any(part in left for part in (*raw, b"base32secretbase32secret", b"a held picture", b"a seen picture"))


def test_the_wrong_key_is_noticed_before_anything_is_stored(store, clock):
    """check_key tells a foreign or missing key at the start."""
    sealed = Store(store.url, clock, AesVault([OLD]))
    with sealed.write() as tx:
        tombstones.check_key(tx)
        tombstones.check_key(tx)
    for vault in (AesVault([NEW]), PlainVault()):
        with pytest.raises(StoreError), Store(store.url, clock, vault).write() as tx:
            tombstones.check_key(tx)


def test_a_lost_key_file_is_not_replaced_unnoticed(store, clock):
    """A database that was sealed with another key is refused when it is opened, before anything is sealed apart from it."""
    tombstones.check_store_key(Store(store.url, clock, AesVault([OLD])))
    tombstones.check_store_key(Store(store.url, clock, AesVault([NEW, OLD])))
    for vault in (AesVault([NEW]), PlainVault()):
        with pytest.raises(StoreError) as caught:
            tombstones.check_store_key(Store(store.url, clock, vault))
        assert "key file" in caught.value.mend


def test_a_vector_moved_to_another_row_does_not_open(store, stream, make_post, make_photo, make_face, clock):
    """Who can write to the database cannot give one face another's vector."""
    sealed = Store(store.url, clock, AesVault([OLD]))
    with sealed.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        media.mark_stored(tx, 1, make_photo(tx).id)
        faces.save_faces(tx, 1, "pack", PACK, [make_face(1), make_face(2)])
        tx.connection.exec_driver_sql("UPDATE faces SET vector = (SELECT vector FROM faces WHERE id = 2) WHERE id = 1")
    with pytest.raises(StoreError, match="changed or moved"), sealed.read() as tx:
        list(faces.vectors(tx, PACK))
