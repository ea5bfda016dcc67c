"""Secrets of mirrored rows are recognised by name and value, and replaced in a seed."""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import SimpleTestCase

from databases.mirror.redaction import is_secret_name, looks_like, read_setting, redact, scrub
from databases.mirror.tests.test_fakes import bound

SECRET_NAMES = re.findall(
    r"\S+",
    """
    password passwd PassWd PASSWORD pwd user_pwd userPassword password2 passphrase hashed_password pwdhash salt
    secret client_secret clientSecret token authtoken auth_token access-token AccessToken APIToken refreshtoken
    key api_key apikey apiKey API_KEY private_key privatekey ssh_key hash pw_hash session session_id sessionid
    credential credentials otp totp_secret pin pin_code card card_number cardNumber iban IBAN cookie
    email e_mail e-mail mail EMail user_email useremail emailaddress userPin OIDCKey homeCard
    """,
)
PLAIN_NAMES = re.findall(
    r"\S+",
    """
    name title keyboard monkey keynote discard postcard pinned shipping spin hashtag passenger compass secretary
    caliban assault author tokyo mailbox_count chapter body passage
    """,
)
SECRET_VALUES = {
    "alice@example.com": "an e-mail address",
    "Write to <Alice.B+c@mail.example.co.uk>, or call": "an e-mail address",
    "https://example.com/?to=alice%40example.com": "an e-mail address",
    "pbkdf2_sha256$600000$c2FsdA$aGFzaA==": "a password hash",
    "PBKDF2_SHA256$600000$c2FsdA$aGFzaA==": "a password hash",
    "bcrypt_sha256$$2b$12$abc": "a password hash",
    "$2b$12$C6UzMDM.H6dfI/f/IKcEeO": "a password hash",
    "argon2$argon2id$v=19$m=102400": "a password hash",
    "$argon2id$v=19$m=65536": "a password hash",
    "$1$salt$hash": "a password hash",
    "$5$salt$hash": "a password hash",
    "root:$6$salt$hash:19000": "a password hash",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc": "a key",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "a signed token",
    "AKIAIOSFODNN7EXAMPLE": "an access key",
    "postgres://app:hunter2@db/app": "a URL with a password",
    "https://:hunter2@db": "a URL with a password",
    '{"user": {"apiKey": "x"}}': "JSON with a secret in it",
}
PLAIN_VALUES = ["Thinking with portals", "3 @ 5 euro", "@handle", "https://example.com:80/a", "$5 or $6", "{x}", "[1]"]


class NameTests(SimpleTestCase):
    def test_names_of_secrets_are_recognised_in_any_spelling(self):
        self.assertEqual([name for name in SECRET_NAMES if not is_secret_name(name)], [])

    def test_other_names_are_not_secret(self):
        self.assertEqual([name for name in PLAIN_NAMES if is_secret_name(name)], [])


class ValueTests(SimpleTestCase):
    def test_values_that_look_secret_are_recognised(self):
        self.assertEqual({value: looks_like(value) for value in SECRET_VALUES}, SECRET_VALUES)

    def test_other_values_do_not_look_secret(self):
        self.assertEqual([value for value in PLAIN_VALUES if looks_like(value)], [])

    def test_json_loses_its_secrets_and_nothing_else(self):
        value = {
            "title": "Portals",
            "access-token": "abc",
            "users": [{"mail": "x", "Pin": 1234, "seen": ["a", "bob@example.com"], "age": 4}, [["$1$a$b"]]],
            "session": {"id": 7},
            "keys": ["abc"],
            "has_password": True,
            "bob@example.com": 1,
            "nothing": None,
        }
        scrubbed = {
            "title": "Portals",
            "access-token": "",
            "users": [{"mail": "", "Pin": 0, "seen": ["a", ""], "age": 4}, [[""]]],
            "session": {},
            "keys": [],
            "has_password": True,
            "nothing": None,
        }
        self.assertEqual(scrub(value), scrubbed)

    def test_a_long_text_is_examined_in_linear_time(self):
        # A pattern that backtracks from each letter would take minutes.
        for text in ("a" * 10**5, "-eyJ0" * 10**4, "://:" * 10**4, "pbkdf2" * 10**4, "a@" * 10**4):
            self.assertEqual(looks_like(text), "")


class RedactTests(SimpleTestCase):
    def redacted(
        self, field: models.Field, value: Any, name: str = "thing", rule: str | None = None
    ) -> tuple[Any, str]:
        return redact(bound(field, name), value, 17, rule)[:2]

    def test_columns_are_judged_by_type_by_name_and_by_value(self):
        text = models.CharField(max_length=200)
        hidden_name = models.CharField(max_length=20, db_column="usr_pwd")
        self.assertEqual(self.redacted(models.EmailField(), "a@b.cd", "contact"), ("", "blanked"))
        self.assertEqual(self.redacted(text, "hunter2", "passWd"), ("", "blanked"))
        self.assertEqual(self.redacted(hidden_name, "hunter2"), ("", "blanked"))
        self.assertEqual(self.redacted(models.IntegerField(), 1234, "pin"), (0, "blanked"))
        self.assertEqual(self.redacted(models.TextField(), "call alice@example.com"), ("", "blanked"))
        self.assertEqual(self.redacted(models.JSONField(), {"token": "x", "a": 1}), ({"token": "", "a": 1}, "blanked"))
        self.assertEqual(self.redacted(models.BinaryField(), b"x"), (b"", "blanked"))

    def test_other_columns_are_kept(self):
        for value in ("Portals", "", None):
            self.assertEqual(self.redacted(models.TextField(null=True), value), (value, "kept"))
        self.assertEqual(self.redacted(models.BooleanField(), True, "has_password"), (True, "kept"))
        self.assertEqual(self.redacted(models.JSONField(), {"a": [1]}), ({"a": [1]}, "kept"))

    def test_declared_columns_take_precedence(self):
        self.assertEqual(self.redacted(models.EmailField(), "a@b.cd", rule="keep"), ("a@b.cd", "kept"))
        self.assertEqual(self.redacted(models.TextField(), "Alice", rule="fake"), ("thing 17", "faked"))
        self.assertEqual(self.redacted(models.TextField(), "Alice", rule="blank"), ("", "blanked"))


class SettingTests(SimpleTestCase):
    def test_entries_are_resolved_to_fields(self):
        ways = {"name": "fake", "joined": "blank", "id": "keep"}
        found = read_setting({f"layer_people.Member.{name}": way for name, way in ways.items()})
        self.assertEqual({field.name: way for field, way in found.items()}, ways)

    def test_an_invalid_entry_is_an_error_that_names_it(self):
        nothing = ["member.name", "name", "layer_people.missing.name", "nowhere.member.name", "layer_people.member.nme"]
        for name in [
            *nothing,
            "layer_people.member.collections",
            "layer_library.material.subjects",
            "layer_notebook.note.text",
        ]:
            with self.subTest(name), self.assertRaisesMessage(ImproperlyConfigured, f"[{name!r}] names no column of a"):
                read_setting({name: "fake"})
        with self.assertRaisesMessage(ImproperlyConfigured, "must be one of: blank, fake, keep."):
            read_setting({"layer_people.member.name": "Fake"})
        for name in ("layer_people.member.id", "layer_people.member.organisation"):
            with self.subTest(name), self.assertRaisesMessage(ImproperlyConfigured, f"[{name!r}] is a key"):
                read_setting({name: "blank"})
