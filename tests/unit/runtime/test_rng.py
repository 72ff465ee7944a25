from wildbach.runtime.rng import derived, seeded


def test_the_same_seed_gives_the_same_draws():
    assert [seeded(7).random() for _ in range(3)] == [seeded(7).random()] * 3
    assert derived(seeded(7), "picker").random() == derived(seeded(7), "picker").random()


def test_parts_draw_from_generators_of_their_own():
    assert derived(seeded(7), "picker").random() != derived(seeded(7), "choker").random()
