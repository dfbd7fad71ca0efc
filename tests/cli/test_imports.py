"""`klaviyo import` as a user types it. Nothing of it is sent."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import httpx
import pytest

from cli.imports.options import Own, list_id, named, options, task_kind
from tests.cli.typed import klaviyo, run
from worker.errors import Forbidden, InputError

pytestmark = pytest.mark.usefixtures("settings", "fake_redis")

LISTS = [("AAAAAA", "News"), ("BBBBBB", "VIP"), ("CCCCCC", "vip"), ("DDDDDD", "Sale")]


class TestImport:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["suppress", "--list", "AAAAAA"], "it takes no --list, which belongs to profiles, subscribe, unsubscribe"),
            (["profiles", "--metric", "Seen"], "it takes no --metric, which belongs to events"),
            (["events", "--mode", "delete"], "it takes no --mode, which belongs to items, variants, categories"),
            (["items", "--coupon", "SAVE"], "it takes no --coupon, which belongs to coupon-codes"),
            (["unsubscribe", "--historical"], "it takes no --historical, which belongs to subscribe"),
            (["profiles", "--custom-source", "Shop"], "it takes no --custom-source, which belongs to subscribe"),
            (["subscribe", "--channel", "fax"], "there is no channel 'fax': it is email, sms or whatsapp"),
            (["profiles", "--set", "title"], "--set 'title' has no '='"),
            (["profiles", "--consented-at", "2024-01-31T00:00:00Z"], "--consented-at goes with --consent"),
            (["profiles", "--database-url", "sqlite:///shop.db"], "--database-url goes with a query, 'sql:SELECT …'"),
            (
                ["profiles", "--set", 'properties={"a": 1'],
                "the value of --set properties=… begins like JSON and is none",
            ),
        ],
    )
    def test_an_option_that_makes_no_sense_is_one_sentence_and_exit_code_2(self, source, asked, words, said):
        result = run("import", words[0], str(source), *words[1:])

        assert (result.exit_code, asked) == (2, [])
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("kind", "mode", "name"),
        [
            ("profiles", None, "profiles"),
            ("coupon-codes", None, "coupon_codes"),
            ("items", None, "upsert_catalog_items"),
            ("categories", "delete", "delete_catalog_categories"),
        ],
    )
    def test_each_kind_has_its_name_among_the_imports(self, kind, mode, name):
        assert task_kind(kind, mode) == name

    def test_what_was_typed_becomes_what_is_asked_for(self, source, asked):
        run(
            "import", "events", str(source), "--map", "email=profile.email", "--map", "first_name=", "--metric", "Seen",
            "--set", "value=9.99", "--set", 'properties={"a": 1}', "--time-zone", "UTC", "--lane", "now",
            "--delimiter", ";", "--format", "csv",
        )  # fmt: skip

        [wanted] = asked
        assert (wanted.kind, wanted.rows, wanted.lane) == ("events", str(source), "now")
        assert (wanted.format, wanted.delimiter) == ("csv", ";")
        assert wanted.options.mapping == ("email=profile.email", "first_name=")
        assert wanted.options.fixed == {"metric": "Seen", "value": "9.99", "properties": {"a": 1}}
        assert wanted.options.time_zone == "UTC"

    def test_consent_has_channels_and_says_where_it_is_from(self):
        own = Own(channel=["email", "sms"], historical=True, custom_source="Shop")

        how = options("subscribe", own, [], [], None, "default")
        assert how.channels == ("email", "sms")
        assert how.params == {"custom_source": "Shop", "historical_import": True}

    def test_a_dry_run_tells_what_would_be_sent_and_sends_nothing(self, source, fake_redis):
        result = run("import", "profiles", str(source), "--dry-run")

        assert result.exit_code == 1
        assert result.stderr == "Nothing was sent.\n"
        assert "1  email: this is not an email address; write it like name@example.com  2" in result.stdout
        assert "ada@example.com" not in result.output
        assert fake_redis.keys("klaviyo:run*") == []

    def test_a_dry_run_can_be_read_by_programs(self, source):
        told = json.loads(run("import", "profiles", str(source), "--dry-run", "--json").stdout)

        assert (told["rows"], told["checked"], told["jobs"], told["requests"]) == (3, 1, 1, 1)
        assert told["rejects"] == [
            {"row": 2, "reason": "email: this is not an email address; write it like name@example.com"}
        ]

    def test_a_dry_run_groups_the_rows_that_would_be_turned_down_by_reason(self, tmp_path):
        file = tmp_path / "customers.csv"
        rows = [f"no address {number}" if number % 2 else f"p{number}@example.com" for number in range(1_000)]
        file.write_text("email\n" + "\n".join(rows) + "\n")

        result = run("import", "profiles", str(file), "--dry-run")
        told = json.loads(run("import", "profiles", str(file), "--dry-run", "--json").stdout)

        lines = [line for line in result.stdout.splitlines() if "email: " in line]
        reason = "email: this is not an email address; write it like name@example.com"
        assert [line.split() for line in lines] == [["500", *reason.split(), "2,", "4,", "6,", "8,", "10,", "…"]]
        assert told["reasons"] == [{"reason": reason, "rows": 500, "first": [2, 4, 6, 8, 10]}]

    @pytest.mark.parametrize(("content", "code"), [("p@example.com", 0), ("none", 1)])
    def test_a_dry_run_ends_as_the_import_would_and_needs_no_redis(self, tmp_path, monkeypatch, content, code):
        file = tmp_path / "customers.csv"
        file.write_text(f"email\n{content}\n")
        for client in ("get_redis", "get_publisher"):
            monkeypatch.setattr(
                f"worker.governor.governor.{client}", lambda: pytest.fail("Redis is asked for something")
            )

        assert run("import", "profiles", str(file), "--dry-run").exit_code == code

    @pytest.mark.parametrize(
        ("kind", "said"), [("profils", "did you mean profiles?"), ("x", "there are profiles, events, items")]
    )
    def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are(self, kind, said):
        result = run("import", kind, "customers.csv")

        assert result.exit_code == 2
        assert result.stderr.startswith(f"import: there is no kind {kind!r}; {said}")

    def test_a_file_that_is_not_there_is_one_sentence_and_exit_code_2(self):
        result = run("import", "profiles", "nonesuch.csv", "--dry-run")

        assert result.exit_code == 2
        assert result.stderr == "nonesuch.csv: it cannot be read: No such file or directory.\n"


class TestPlan:
    """`klaviyo import FILE`, without a word more."""

    @pytest.fixture
    def brevo(self, tmp_path):
        path = tmp_path / "contacts.csv"
        path.write_bytes(
            "EMAIL;FIRSTNAME;SMS;EMAIL_BLACKLISTED;ADDED_TIME;MODIFIED_TIME\r\n"
            "zoe@example.com;Zoë;33611111111;Yes;12-04-2022 09:30;13-04-2022 10:00\r\n".encode("cp1252")
        )
        return path

    def test_the_plan_of_a_known_export_is_shown_with_real_values_and_nothing_is_sent(self, brevo, asked):
        result = run("import", str(brevo), "--dry-run")

        told = [" ".join(line.split()) for line in result.stdout.splitlines()]
        assert (result.exit_code, asked) == (0, [])
        assert "known as Brevo contacts, by its header" in told
        assert "becomes profiles: 1" in told
        assert "written in cp1252, cells divided by ;" in told
        assert "empty cells change nothing at Klaviyo; nor does NULL or \\N. --clear-empty unsets properties" in told
        assert "SMS phone_number phone number, international 33611111111 → +33611111111" in told
        assert "ADDED_TIME properties.ADDED_TIME date or time, day first 12-04-2022 09:30 → 2022-04-12T09:30:00" in told
        why = "it says who wants marketing; an import of profiles changes nobody's consent (see --consent)"
        assert f"EMAIL_BLACKLISTED {why}" in told

    def test_a_yes_starts_it_as_it_was_shown(self, brevo, asked):
        assert run("import", str(brevo), "--yes").exit_code == 0

        [wanted] = asked
        assert (wanted.kind, wanted.rows, wanted.options.export) == ("profiles", str(brevo), "brevo-contacts")

    def test_without_anybody_to_ask_it_is_not_sent(self, brevo, asked):
        result = run("import", str(brevo))

        assert (result.exit_code, asked) == (2, [])
        assert "There is nobody to ask: give --yes" in result.stderr

    @pytest.mark.parametrize(("answer", "count"), [("y\n", 1), ("n\n", 0)])
    def test_somebody_at_a_terminal_is_asked(self, brevo, asked, monkeypatch, answer, count):
        monkeypatch.setattr("cli.imports.plan._is_interactive", lambda: True)

        result = run("import", str(brevo), typed=answer)

        assert "Import it like this?" in result.stderr
        assert len(asked) == count

    def test_unknown_columns_are_guessed_shown_and_written_down_for_the_next_time(self, tmp_path, asked):
        path, plan = tmp_path / "kunder.csv", tmp_path / "plan.toml"
        path.write_text("sep=;\nNamn;E-post;Mobil;Köpt\nAda;ada@example.com;070-111 22 33;899,50\n")

        first = run("import", str(path), "--country", "SE", "--dry-run", "--save-map", str(plan))
        again = run("import", str(path), "--map", str(plan), "--yes")

        assert (first.exit_code, again.exit_code) == (0, 0)
        assert "no known export: the fields below are a guess" in first.stdout
        assert "070-111 22 33 → +46701112233" in first.stdout
        assert plan.read_text().splitlines() == [
            'kind = "profiles"', 'country = "SE"', "", "[columns]", '"Namn" = "properties.Namn"', '"E-post" = "email"',
            '"Mobil" = "phone_number"', '"Köpt" = "properties.Köpt:decimal-comma"',
        ]  # fmt: skip
        [wanted] = asked
        assert wanted.options.country == "SE"
        assert "as --map says" in again.stdout
        assert set(wanted.options.mapping) == {
            "Namn=properties.Namn", "E-post=email", "Mobil=phone_number", "Köpt=properties.Köpt:decimal-comma",
        }  # fmt: skip

    def test_what_is_typed_wins_over_a_plan_and_over_a_guess(self, tmp_path, asked):
        path, plan = tmp_path / "kunder.csv", tmp_path / "plan.toml"
        path.write_text("Namn;E-post\nAda;ada@example.com\n")
        plan.write_text('kind = "profiles"\n[columns]\n"Namn" = "title"\n"E-post" = "email"\n')

        run("import", str(path), "--map", "Namn=first_name", "--yes")
        run("import", str(path), "--map", str(plan), "--map", "Namn=first_name", "--yes")

        for wanted in asked:
            assert set(wanted.options.mapping) == {"E-post=email", "Namn=first_name"}

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[columns", "is not a TOML file"),
            ("colour = 1", "says 'colour', which is not a setting of a plan"),
            (None, "cannot be read"),
        ],
    )
    def test_a_file_that_is_no_plan_is_reported_in_a_sentence(self, source, tmp_path, content, said):
        plan = tmp_path / "plan.toml"
        if content:
            plan.write_text(content)

        result = run("import", str(source), "--map", str(plan), "--yes")

        assert result.exit_code == 2
        assert said in result.stderr

    def test_a_plan_is_never_written_over(self, source, tmp_path):
        plan = tmp_path / "plan.toml"
        plan.write_text("mine")

        result = run("import", str(source), "--save-map", str(plan), "--dry-run")

        assert result.exit_code == 2
        assert "exists: name another file for the plan" in result.stderr

    def test_several_files_of_one_export_are_an_import_each(self, brevo, tmp_path, asked):
        other = tmp_path / "more.csv"
        other.write_bytes(brevo.read_bytes())

        run("import", str(brevo), str(other), "--yes")
        refused = run("import", str(brevo), str(other), "--yes", "--run", "R")

        assert [wanted.rows for wanted in asked] == [str(brevo), str(other)]
        assert "--run and --rejects are for one" in refused.stderr

    def test_standard_input_needs_its_kind(self):
        result = run("import", "-", "--yes")

        assert result.exit_code == 2
        assert "say what kind its rows are" in result.stderr

    @pytest.fixture
    def shopify(self, tmp_path):
        path = tmp_path / "shopify.csv"
        path.write_text(
            "Customer ID,First Name,Last Name,Email,Accepts Email Marketing\n1,Ada,L,ada@example.com,yes\n"
            "2,Grace,H,grace@example.com,no\n"
        )
        return path

    def test_consent_is_changed_only_where_that_is_asked_for_and_its_time_is_said(self, shopify, asked):
        without = run("import", str(shopify), "--yes")
        refused = run("import", str(shopify), "--yes", "--consent")
        result = run("import", str(shopify), "--yes", "--consent", "--consented-at", "2024-01-31T00:00:00Z")

        assert (without.exit_code, refused.exit_code, result.exit_code) == (0, 2, 0)
        assert "give the time of consent, --consented-at 2024-01-31T00:00:00Z" in refused.stderr
        assert [wanted.kind for wanted in asked] == ["profiles", "profiles", "subscribe"]
        assert asked[-1].options.params == {"custom_source": "Shopify customers", "historical_import": True}
        assert "becomes people who are subscribed: 1" in [" ".join(line.split()) for line in result.stdout.splitlines()]

    def test_those_who_said_no_are_unsubscribed(self, brevo, asked):
        assert run("import", str(brevo), "--yes", "--consent").exit_code == 0

        assert [wanted.kind for wanted in asked] == ["profiles", "unsubscribe"]

    def test_a_file_that_says_nothing_of_consent_is_refused(self, source, asked):
        result = run("import", str(source), "--yes", "--consent")

        assert (result.exit_code, asked) == (2, [])
        assert "--consent needs a known export with columns of consent" in result.stderr

    def test_secrets_are_left_out_with_a_word_whatever_is_mapped(self, tmp_path):
        path = tmp_path / "customers.csv"
        path.write_text("email,password_hash,rp_token,plan\nada@example.com,5e88,f00d,gold\n")

        result = run("import", "profiles", str(path), "--map", "*=properties.*", "--dry-run")

        told = [" ".join(line.split()) for line in result.stdout.splitlines()]
        assert "left out password_hash, rp_token: by its name it holds secrets, which an import never sends" in told

    def test_secrets_of_mappings_are_left_out_with_a_word_too(self, tmp_path):
        path = tmp_path / "customers.jsonl"
        path.write_text('{"email": "ada@example.com", "password": "x"}\n')

        told = json.loads(run("import", "profiles", str(path), "--dry-run", "--json").stdout)

        assert told["left_out"] == [["password", "by its name it holds secrets, which an import never sends"]]

    def test_a_query_is_a_file_like_any_other(self, tmp_path, asked):
        with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
            shop.executescript(
                "CREATE TABLE people (mail TEXT, spent REAL); INSERT INTO people VALUES ('ada@example.com', 12.5)"
            )
        query = ("sql:SELECT mail, spent FROM people", "--database-url", f"sqlite:///{tmp_path}/shop.db")

        shown = run("import", *query, "--dry-run")
        refused = run("import", query[0], "--dry-run")

        assert shown.exit_code == 0
        told = [" ".join(line.split()) for line in shown.stdout.splitlines()]
        assert "mail email address ada@example.com" in told
        assert (refused.exit_code, "needs --database-url" in refused.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["sql:SELECT 1"], "import: a query needs --database-url. Nothing was sent."),
            (["sql:DROP x", "--database-url", "sqlite:///x.db"], "import: the query does not return rows"),
        ],
    )
    def test_a_query_that_cannot_be_is_refused_in_the_words_of_the_command(self, asked, words, said):
        result = run("import", "profiles", *words)

        assert (result.exit_code, asked) == (2, [])
        assert result.stderr.startswith(said)

    def test_rows_that_would_be_turned_down_are_reported_with_the_plan(self, source):
        result = run("import", str(source), "--dry-run")

        assert result.exit_code == 1
        assert "of the first 3 would be turned down because" in result.stdout

    def test_the_plan_can_be_read_by_programs(self, brevo):
        told = json.loads(run("import", str(brevo), "--dry-run", "--json").stdout)

        assert told["plan"]["title"] == "Brevo contacts"
        assert told["plan"]["columns"][0] == {
            "name": "EMAIL", "field": "email", "format": "address", "values": [["zoe@example.com"] * 2],
        }  # fmt: skip


class TestList:
    @pytest.mark.parametrize(
        ("given", "id"), [("AAAAAA", "AAAAAA"), ("News", "AAAAAA"), ("NEWS", "AAAAAA"), ("vip", "CCCCCC")]
    )
    def test_a_list_is_known_by_its_id_or_its_name(self, given, id):
        assert named("profiles", given, LISTS) == id

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("New", "there is no list 'New'; did you mean 'News'?"),
            ("Customers", "there is no list 'Customers'; the account has 4 lists"),
            ("Vip", "several lists are called 'Vip': give the id of one, 'VIP' (BBBBBB), 'vip' (CCCCCC)"),
        ],
    )
    def test_a_list_that_is_missing_or_ambiguous_is_reported_with_what_is_near(self, given, said):
        with pytest.raises(InputError) as refused:
            named("profiles", given, LISTS)

        assert said in str(refused.value)

    def test_it_is_looked_for_at_klaviyo_page_by_page(self, monkeypatch):
        def answer(request):
            first = "page%5Bcursor%5D" not in str(request.url)
            id, name = LISTS[0] if first else LISTS[3]
            links = {"next": "https://a.klaviyo.com/api/lists?page%5Bcursor%5D=two" if first else None}
            data = [{"type": "list", "id": id, "attributes": {"name": name}}]
            return httpx.Response(200, json={"data": data, "links": links})

        monkeypatch.setattr("worker.execution.get_client", klaviyo(answer))
        own = Own(list_name="sale")

        assert options("profiles", own, [], [], None, "default").params == {"list_ids": ["DDDDDD"]}
        assert options("unsubscribe", own, [], [], None, "default").params == {"list_id": "DDDDDD"}

    def test_a_key_that_may_not_read_lists_may_be_given_an_id(self, monkeypatch):
        monkeypatch.setattr("worker.execution.get_client", klaviyo(lambda request: httpx.Response(403, json={})))

        assert list_id("profiles", "AAAAAA", "default") == "AAAAAA"
        with pytest.raises(Forbidden):
            list_id("profiles", "Newsletter", "default")
