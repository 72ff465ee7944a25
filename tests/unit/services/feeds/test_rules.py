"""Rules: what each field means, and why an article is not taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests import pace

from wildbach.base import limits
from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.rules import Candidate, Reason, Rule, RuleState, Taste, judge, judge_all, problem_of
from wildbach.services.feeds.settings import EPISODE_PATTERNS

DAY = 86_400.0
TASTE = Taste(True, EPISODE_PATTERNS)
URL = "http://f.example/rss"
SLOW = Rule(must_contain=r"(a+)+$", use_regex=True, feeds=(URL,))


def article(
    title: str, published: float = 0.0, size: int | None = None, torrent: str = "http://t.example/1"
) -> Article:
    return Article(title, title, "", torrent, "", "", published, size, "", ())


def reason(rule: Rule, title: str, state: RuleState | None = None, taste: Taste = TASTE) -> Reason:
    return judge(rule, state or RuleState(), article(title), taste).reason


@pytest.mark.parametrize(("must", "must_not", "title", "expected"), [
    ("", "", "anything", Reason.MATCHES),
    ("show 1080p", "", "1080p of Show", Reason.MATCHES),
    ("show 1080p", "", "Show 720p", Reason.NOT_CONTAINED),
    ("show 1080p|other", "", "Other 720p", Reason.MATCHES),
    ("show*1080p", "", "1080p show", Reason.NOT_CONTAINED),
    ("show|", "", "anything", Reason.MATCHES),
    ("", "cam|*720p", "Show CAM", Reason.EXCLUDED),
    ("", "cam ts", "Show CAM", Reason.MATCHES),
    ("", "cam|", "anything", Reason.EXCLUDED),
    ("show", "", "My SHOWER", Reason.MATCHES),
])
def test_wildcard_rules(must: str, must_not: str, title: str, expected: Reason) -> None:
    assert reason(Rule(must_contain=must, must_not_contain=must_not), title) is expected


def test_regular_expressions_are_whole() -> None:
    rule = Rule(use_regex=True, must_contain=r"^show (one|two)$", must_not_contain="two")
    assert reason(rule, "Show one") is Reason.MATCHES
    assert reason(rule, "Show two") is Reason.EXCLUDED
    assert reason(rule, "A show one") is Reason.NOT_CONTAINED


def test_each_verdict_has_its_reason_in_words() -> None:
    words = [
        judge(rule, RuleState(), article("Show S01E02", size=500), TASTE).words for rule in (
            Rule(), Rule(must_contain="x y"), Rule(must_not_contain="show"), Rule(episode_filter="1x3;"),
            Rule(min_size=501), Rule(max_size=499), Rule(use_regex=True, must_contain="("), Rule(episode_filter="1x3"),
        )
    ]
    assert words[:6] == ["matches", 'does not contain "x y"', 'contains "show"', "1x2 is not in 1x3;", "has 500 bytes",
                         "has 500 bytes"]
    assert words[6].startswith("the pattern cannot be read")
    assert words[7].startswith("episode filter: not of the form")
    assert judge(Rule(), RuleState(), article("x", torrent=""), TASTE).reason is Reason.NO_TORRENT
    assert judge(Rule(episode_filter="1x3;"), RuleState(), article("x"), TASTE).words == "is of no episode"


def test_sizes_that_nobody_knows_are_fine() -> None:
    assert judge(Rule(min_size=5), RuleState(), article("x"), TASTE).matches


def test_days_after_a_match_are_ignored() -> None:
    rule = Rule(ignore_days=2)
    first = judge(rule, RuleState(), article("a", published=10 * DAY), TASTE)
    assert first.after.last_match == 10 * DAY
    assert judge(rule, first.after, article("b", published=12 * DAY - 1), TASTE).reason is Reason.TOO_SOON
    assert judge(rule, first.after, article("c", published=12 * DAY), TASTE).matches


def take(rule: Rule, state: RuleState, title: str, taste: Taste = TASTE) -> tuple[bool, RuleState]:
    verdict = judge(rule, state, article(title), taste)
    return verdict.matches, verdict.after


def test_the_smart_filter_takes_every_episode_once_and_repacks_again() -> None:
    rule = Rule(smart_filter=True)
    story = [
        ("Show S01E02 720p", True), ("Show S01E02 1080p", False), ("Show S01E03", True), ("Show S01E02 REPACK", True),
        ("Show S01E02 repack 1080p", False), ("Show S01E02 PROPER", True), ("Show without", True),
        ("Show without", True), ("Show S01E03 PROPER REPACK", True), ("Show S01E03 PROPER", False),
        ("Show S01E03 REPACK", False), ("Show S01E04 REPACK", True), ("Show S01E04 REPACK 2", True),
        ("Show S01E04 REPACK 3", False),
    ]
    state = RuleState()
    for title, taken in story:
        matched, state = take(rule, state, title)
        assert matched is taken, title
    assert state.episodes == (
        "1x2", "1x3", "1x2-REPACK", "1x2-PROPER", "1x3-REPACK-PROPER", "1x3-REPACK", "1x3-PROPER", "1x4", "1x4-REPACK")


def test_repacks_are_left_where_the_settings_say_so() -> None:
    state = RuleState(episodes=("1x2",))
    assert reason(Rule(smart_filter=True), "Show S01E02 REPACK", state, replace(TASTE, repacks=False)) is Reason.SEEN


def test_what_a_rule_remembers_is_bounded() -> None:
    state = RuleState(episodes=tuple(f"{n}x1" for n in range(limits.FEED_EPISODES)))
    _, state = take(Rule(smart_filter=True), state, "Show S9999E02")
    assert len(state.episodes) == limits.FEED_EPISODES
    assert (state.episodes[0], state.episodes[-1]) == ("1x1", "9999x2")


def test_an_article_goes_to_the_first_rule_by_priority() -> None:
    rules = {
        "b": Rule(priority=1, all_feeds=True), "a": Rule(priority=2, all_feeds=True),
        "off": Rule(enabled=False, priority=0, all_feeds=True), "elsewhere": Rule(priority=-1, feeds=("http://o/",)),
        "picky": Rule(priority=-2, must_contain="one", feeds=(URL,)),
    }
    candidates = [Candidate("1", URL, article("one")), Candidate("1", URL, article("two"))]
    judged = judge_all(rules, {}, candidates, TASTE)
    assert [(match.rule, match.candidate.article.title) for match in judged.matches] == [("picky", "one"), ("b", "two")]
    assert sorted(judged.states) == ["b", "picky"]


def test_articles_of_one_batch_know_of_each_other() -> None:
    rules = {"r": Rule(smart_filter=True, all_feeds=True)}
    candidates = [Candidate("1", URL, article(title)) for title in ("S01E01 a", "S01E01 b", "S01E02")]
    judged = judge_all(rules, {"r": RuleState(episodes=("1x2",))}, candidates, TASTE)
    assert [match.candidate.article.title for match in judged.matches] == ["S01E01 a"]


@pytest.mark.parametrize("length", [200, 450])
def test_a_slow_rule_has_one_turn_and_the_others_theirs(length: int) -> None:
    """Shorter titles take some ten milliseconds each, long ones for ever."""
    candidates = [Candidate("1", URL, article("a" * length + f"!{n}")) for n in range(500)]

    def judge() -> None:
        judged = judge_all({"slow": SLOW, "fine": Rule(all_feeds=True, priority=1)}, {}, candidates, TASTE)
        assert len(judged.matches) == 500
        assert "took more than" in judged.problems["slow"]
        assert judged.problems["fine"] == ""

    pace.takes_at_most(4 * limits.FEED_RULE_SECONDS, judge)


@pytest.mark.parametrize(("rule", "problem"), [
    (Rule(must_contain="a|b", episode_filter="1x2;", smart_filter=True), ""),
    (Rule(must_contain="(", use_regex=True), "the pattern cannot be read"),
    (Rule(must_not_contain="(", use_regex=True), "the pattern cannot be read"),
    (Rule(episode_filter="1x2"), "episode filter: not of the form"),
    (Rule(must_contain="a [z-a]"), "the pattern cannot be read"),
], ids=range(5))
def test_rules_that_cannot_match_say_why(rule: Rule, problem: str) -> None:
    found = problem_of(rule, TASTE)
    assert found.startswith(problem)
    assert bool(found) is bool(problem)


def test_bad_patterns_of_the_settings_show_at_smart_rules() -> None:
    assert problem_of(Rule(smart_filter=True), Taste(True, ("(",)))
    assert not problem_of(Rule(), Taste(True, ("(",)))
