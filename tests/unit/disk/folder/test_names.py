

from wildbach.disk.folder.names import refusal


def test_what_no_entry_can_say_is_refused():
    assert refusal("a/b") == ""
    assert refusal("a/\udcff") and refusal("n" * 256) and refusal("a/" * 100 + "a") and refusal(("n" * 200 + "/") * 30)
