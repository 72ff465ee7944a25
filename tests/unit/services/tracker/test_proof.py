from wildbach.services.tracker.proof import ConnectionIds, Rates


def test_ids_of_two_trackers_differ_unless_they_share_a_key() -> None:
    made = [ConnectionIds(key * 32) for key in (b"a", b"b", b"c")]
    for one in made:
        one.tick(0.0)
    assert len({one.issue(b"1234") for one in made}) == 3
    made[1].rekey(b"a" * 32)
    assert made[1].valid(made[0].issue(b"1234"), b"1234")


def test_forged_senders_are_not_remembered() -> None:
    ids = ConnectionIds(b"k" * 32, remembered=10)
    ids.tick(0.0)
    for number in range(1000):
        host = number.to_bytes(4, "big")
        ids.issue(host)
        assert not ids.valid(bytes(8), host)
    assert not ids._known
    for number in range(100):
        host = number.to_bytes(4, "big")
        assert ids.valid(ids.issue(host), host)
    assert len(ids._known) == 10
    ids.tick(60.0)
    assert not ids._known


def test_counts_of_addresses_are_bounded_and_begin_anew_each_minute() -> None:
    rates = Rates(1, remembered=3)
    rates.tick(0.0)
    assert all(rates.take(bytes((0, 0, 0, n))) for n in range(5))
    assert not rates.take(bytes(4))
    rates.tick(61.0)
    assert rates.take(bytes(4))


def test_this_machine_is_exempt() -> None:
    rates = Rates(1)
    rates.tick(0.0)
    for host, exempt in ((bytes((127, 0, 0, 9)), True), (bytes(15) + b"\1", True), (bytes(15) + b"\2", False)):
        rates.take(host)
        assert rates.take(host) is exempt


def test_no_limit_counts_nobody() -> None:
    rates = Rates(0)
    assert all(rates.take(b"1234") for _ in range(10_000))
