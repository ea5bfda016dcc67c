"""Whether the table in `docs/reference/compatibility.md` is complete. `make compatibility` tries the packages."""

from compatibility.table import DOCUMENT, cases, put_into, versions_in


def test_every_case_has_verdicts_on_all_roles_and_a_class_for_each() -> None:
    assert [problem for case in cases() for problem in case.problems()] == []


def test_the_table_holds_what_the_cases_say() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert put_into(document, cases(), versions_in(document)) == document, "`make compatibility` writes the table."
