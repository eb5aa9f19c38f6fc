"""The local microblog's tokens under the environment names that the platform files read. They open nothing anywhere else."""

from __future__ import annotations

from bot.microblog.client import WorldClient
from bot.microblog.tokens import Credentials


def environment(own: Credentials) -> dict[str, str]:
    """The variables a bot needs to talk to the local microblog."""
    return {
        "WEIBO_APP_KEY": own.weibo_app_key,
        "WEIBO_ACCESS_TOKEN": own.weibo_access_token,
        "X_BEARER_TOKEN": own.x_bearer_token,
        "X_CONSUMER_KEY": own.x_consumer_key,
        "X_CONSUMER_SECRET": own.x_consumer_secret,
        "X_ACCESS_TOKEN": own.x_access_token,
        "X_ACCESS_TOKEN_SECRET": own.x_access_token_secret,
    }


def ask(port: int) -> dict[str, str]:
    """The same, asked from the microblog that runs on ``port`` of this machine.

    Raises:
        WorldError: none answers there.
    """
    with WorldClient(f"http://127.0.0.1:{port}") as client:
        return environment(client.credentials())
