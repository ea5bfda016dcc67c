"""Every message of the emitted layer says what happened and what to do, and a page lists them all."""

import re

import pytest

from tests.support.messages import CHECK_ID, PAGE, Message, messages, page

MESSAGES = messages()
CHECKS = [each for each in MESSAGES if CHECK_ID.match(each.kind)]
#: What a user reads whole. Logs and parts have no end of their own.
ERRORS = [each for each in MESSAGES if each not in CHECKS and each.kind not in ("log", "part", "printed")]
PLACE = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
#: Words that tell readers what to do.
CURES = re.compile(
    r"\b(add|allow|archive|ask|call|change|check|choose|commit|complete|convert|copy|correct|define|delete|derive|do|drop"
    r"|dump|end|enqueue|evaluate|give|grant|import|install|keep|leave|let|load|make|map|move|must|name|open|pass|put|raise|read"
    r"|remove|repair|restart|restore|run|save|see|send|set|start|store|use|wait|wrap|write)\b",
    re.IGNORECASE,
)
#: Placeholders whose text is a cure, or the error of something else that has one.
PASSED_ON = re.compile(r"\{[^}]*(way_out|cure|hint|reason|failed|found|error|expected)[^}]*\}|says? why")
#: Errors without a cure, and why.
WITHOUT_CURE = {
    "AttributeError": "Python's own words for a module without that name.",
    "Http404": "In production the page says nothing more; in DEBUG it names its cure.",
    "OperationalError": "In a driver's way: the pages and commands that catch it add what to do.",
    "TemplateTenantError": "Caught by the layer, which migrates the tenant's own database instead.",
    "UnfitError": "Caught by `capture_seeds`, which counts such rows.",
    "UnknownTenantError": "The page adds the sites that there are.",
}
VAGUE = re.compile(
    r"\b(invalid|illegal|bad|oops|went wrong|mend|meanwhile|upkeep|patience|gone wrong)\b", re.IGNORECASE
)
#: What may hold a password. Messages name settings and variables instead of showing them.
SECRET = re.compile(r"\{[^}]*(password|secret|settings_dict|conninfo|conn_params|\burl\b|\benviron\b)[^}]*\}", re.I)


def test_the_page_of_messages_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "Run `make messages`."


def test_most_messages_are_found() -> None:
    # Otherwise the other tests of this file could pass because they see nothing.
    assert len(CHECKS) > 25
    assert len(ERRORS) > 130


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: f"{each.kind}-{each.text[:30]}")
def test_a_check_has_a_sentence_and_a_hint(check: Message) -> None:
    assert check.text.endswith((".", "}"))
    assert CURES.search(check.hint)
    assert check.hint.endswith((".", "{}", "; "))


def test_each_error_ends_as_a_sentence() -> None:
    # A text with a small initial follows the name of a database or a tenant.
    broken = [
        each
        for each in ERRORS
        if each.kind not in WITHOUT_CURE and not re.search(r"[.…}]$", each.text) and not each.text[0].islower()
    ]
    assert not broken


def test_each_error_says_what_to_do() -> None:
    silent = [
        each
        for each in ERRORS
        if each.kind not in WITHOUT_CURE
        and not CURES.search(PLACE.sub("", each.text))
        and not PASSED_ON.search(each.text)
    ]
    assert not silent


def test_no_message_is_vague() -> None:
    assert not [each for each in MESSAGES if VAGUE.search(PLACE.sub("", f"{each.text} {each.hint}"))]


def test_no_message_shows_what_may_hold_a_password() -> None:
    assert not [each for each in MESSAGES if SECRET.search(each.text)]
