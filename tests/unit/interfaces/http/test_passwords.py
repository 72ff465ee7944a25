from wildbach.interfaces.http.passwords import hashed, matches


def test_only_the_password_matches_and_two_hashes_of_it_differ() -> None:
    one, two = hashed("pässword"), hashed("pässword")
    assert one.digest != two.digest
    assert one.n * one.r * 128 == 32 << 20
    assert matches("pässword", one)
    assert not matches("passwort", one)
