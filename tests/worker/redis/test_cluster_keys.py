"""In a cluster each key has a tag on its way there, and none on its way back."""

import re
from pathlib import Path

import pytest

import worker.governor
from worker.redis.cluster_keys import SLOT, TAG, tagged, untagged

K = f"{TAG}k"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (("GET", "k"), ("GET", K)),
        (("hset", "k", "field", "value"), ("hset", K, "field", "value")),
        (("ZADD", b"k", 1, "m"), ("ZADD", K.encode(), 1, "m")),
        (("DEL", "k", "k"), ("DEL", K, K)),
        (("MGET", "k", "k"), ("MGET", K, K)),
        (("EVALSHA", "sha", 2, "k", "k", "k"), ("EVALSHA", "sha", 2, K, K, "k")),
        (("EVAL", "text", 0, "k"), ("EVAL", "text", 0, "k")),
        (("BRPOP", "k", "k", 0.25), ("BRPOP", K, K, 0.25)),
        (("PUBLISH", "k", "text"), ("PUBLISH", K, "text")),
        (("PSUBSCRIBE", "k*"), ("PSUBSCRIBE", f"{K}*")),
        (("SCAN", 0, "MATCH", "k*", "COUNT", 5), ("SCAN", 0, "MATCH", f"{K}*", "COUNT", 5)),
        (("SCAN", 0), ("SCAN", 0, "MATCH", f"{TAG}*")),
        (("KEYS", "k*"), ("KEYS", f"{K}*")),
        (("MEMORY USAGE", "k"), ("MEMORY USAGE", K)),
        (("SCRIPT LOAD", "text"), ("SCRIPT LOAD", "text")),
        (("INFO", "replication"), ("INFO", "replication")),
        (("TIME",), ("TIME",)),
        (("MULTI",), ("MULTI",)),
    ],
)
def test_every_key_of_a_command_is_sent_with_the_tag(said, sent):
    assert tuple(tagged(said)) == sent


def test_keys_and_channels_come_back_as_we_call_them():
    assert untagged([b"pmessage", f"{K}*".encode(), K.encode(), b"text"]) == [b"pmessage", b"k*", b"k", b"text"]
    assert untagged(["0", [K, "other"]]) == ["0", ["k", "other"]]
    assert untagged(3) == 3


def test_what_has_the_tag_is_in_one_slot():
    assert 0 <= SLOT < 16_384
    assert TAG.startswith("{")
    assert TAG[-1] in ":_-.", "Celery's result backend puts an underscore after any other global_keyprefix"


def test_a_command_of_the_governors_scripts_names_one_key_or_is_known_to_name_several(client):
    scripts = "".join(file.read_text("utf-8") for file in Path(worker.governor.__file__).parent.glob("*.lua"))
    called = set(re.findall(r"(?:call|write_at_end)\('([A-Z]+)'", scripts))
    known = set(re.findall(r"[A-Z]+", re.search(r"all_keys = {(.*?)}", scripts)[1]))

    told = client.execute_command("COMMAND", "INFO", *called)

    several = {name.upper() for name, each in told.items() if each["last_key_pos"] != each["first_key_pos"]}
    assert several == known
