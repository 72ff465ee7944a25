from __future__ import annotations

from random import Random

from wildbach.protocol.sync import proofs

ONE, TWO = b"1" * 32, b"2" * 32
SESSION, OTHER = b"s" * 32, b"o" * 32


def test_both_sides_know_what_the_other_will_send() -> None:
    assert proofs.proof(ONE, SESSION, initiator=True) == proofs.proof(ONE, SESSION, initiator=True)


def test_no_proof_serves_another_side_session_or_folder() -> None:
    made = {
        proofs.proof(secret, session, initiator=side)
        for secret in (ONE, TWO) for session in (SESSION, OTHER) for side in (True, False)
    } | {proofs.tag(secret, session) for secret in (ONE, TWO) for session in (SESSION, OTHER)}
    assert len(made) == 12


def test_a_tag_says_nothing_of_a_proof() -> None:
    assert proofs.tag(ONE, SESSION) not in proofs.proof(ONE, SESSION, initiator=True)


def test_made_up_proofs_hide_the_count_and_the_order() -> None:
    chance = Random(1).randbytes
    for count in (0, 1, 7, 8, 9):
        real = [proofs.proof(bytes([each]) * 32, SESSION, initiator=True) for each in range(count)]
        sent = proofs.padded(real, chance)
        assert len(sent) % 8 == 0
        assert len(sent) >= 8
        assert set(real) <= set(sent)
        assert list(sent) == sorted(sent)
