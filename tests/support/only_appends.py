"""Prove that a Redis user may append to one stream and do nothing else, command by command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import NoPermissionError

# Redis lets every connection do these: they log in, or end the connection's session.
WITHOUT_LOGIN = {"auth", "hello", "quit", "reset"}


def refused(url: str, feed: str, every: Any) -> int:
    """Send every command that the server has as the user in `url`. Returns how many were refused.

    `every` is a client that may list the commands. Fails if a command is not refused for lack of the right.
    """
    own, others = f"feed:{feed}", (f"feed:{feed}2", f"feed:{feed}:pushed", f"dlq:{feed}", "feed:", "x")
    commands = list(_commands(every.command().values()))
    commands += [["xadd", stream, "*", "body", "{}"] for stream in others]
    with redis.Redis.from_url(url) as writer:
        for words in commands:
            try:
                answer = writer.execute_command(*words)
            except NoPermissionError:
                continue
            except redis.RedisError as error:
                # EXEC wraps the reason. The server's configuration disables DEBUG and MODULE for all users.
                if "NOPERM" in str(error) or "command not allowed" in str(error):
                    continue
                raise AssertionError(f"{words}: refused for another reason: {error}") from error
            raise AssertionError(f"{words}: allowed, and answers {answer!r}")
        assert writer.xadd(own, {"body": "{}"}), "its own stream is the only thing that it may write"
    return len(commands)


def _commands(table: Any) -> Iterator[list[str]]:
    """Yield each command and subcommand with as few arguments as it allows: Redis first counts them."""
    for entry in table:
        subcommands = [(raw[0].decode(), raw[1]) for raw in entry["subcommands"]]  # not read by redis-py
        for name, arity in subcommands or [(entry["name"], entry["arity"])]:
            words = name.split("|")
            if words[0] not in WITHOUT_LOGIN:
                yield [*words, *["x"] * (abs(arity) - len(words))]
