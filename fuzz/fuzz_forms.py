"""Forms as browsers and programs of other clients send them."""

from wildbach.interfaces.doors.qbittorrent.forms import read_form

_PART = b'Content-Disposition: form-data; name="torrents"; filename="a.torrent"\r\nContent-Type: x/y\r\n\r\nd4:infodee'
SEEDS: list[bytes] = [
    b"--b\r\n" + _PART + b'\r\n--b\r\nContent-Disposition: form-data; name="savepath"\r\n\r\n/data\r\n--b--\r\n',
    b"--b--",
    b"hashes=all&deleteFiles=true&tags=a%2Cb+c",
    b"json=%7B%22dht%22%3Afalse%7D",
]
TOKENS: list[bytes] = [b"\r\n--b", b"\r\n\r\n", b"--b--", b'"; filename="', b"\\", b"%c3%a4", b"+", b"&a=", b"; name*="]


def one_input(data: bytes) -> None:
    head, _, body = data.partition(b"\0")
    for kind, text in (
        ("multipart/form-data; boundary=b", data), ("application/x-www-form-urlencoded", data),
        (head.decode("utf-8", "replace"), body),
    ):
        form = read_form(kind, text)
        assert sum(len(upload.data) for upload in form.files) <= len(text)
