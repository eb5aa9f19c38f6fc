"""From a message to the one call that publishes it. Pure."""

from __future__ import annotations

from bot.platforms._weibo_ids import comment_part, status_part
from bot.platforms._weibo_parse import hashtags
from bot.platforms._weibo_settings import Settings, length
from store.errors import Refused
from store.model import MessageKind, Outgoing

MAX_LENGTH = 140


def compose(message: Outgoing, settings: Settings) -> tuple[str, dict[str, str]]:
    """The path and the form of ``message``: a comment, an answer to a comment, or a share of the bot's own.

    Raises:
        Refused: Weibo would refuse it for good; said here, before a call is spent.
    """
    if length(message.text) > MAX_LENGTH:
        raise Refused(
            f"weibo: {length(message.text)} characters, {MAX_LENGTH} at most", code="20012", mend="Shorten the template."
        )
    path, form = _share(message.text, settings) if _is_share(message, settings) else _comment(message)
    return path, form | ({"rip": settings.rip} if settings.rip else {})


def _is_share(message: Outgoing, settings: Settings) -> bool:
    return not message.reply_to_id or (settings.alert_form == "share" and message.kind is MessageKind.ALERT)


def _share(text: str, settings: Settings) -> tuple[str, dict[str, str]]:
    if not settings.bound_domain or settings.bound_domain not in text:
        raise Refused(
            f"weibo statuses/share: the text holds no link to the bound domain {settings.bound_domain!r}",
            code="10017",
            mend="Set platforms.weibo.bound_domain, and alerts.console_url inside it.",
        )
    if hashtags(text):
        raise Refused("weibo statuses/share: it may hold no #topic#", code="topic", mend="Take it out of the template.")
    return "statuses/share.json", {"status": text}


def _comment(message: Outgoing) -> tuple[str, dict[str, str]]:
    target = status_part(message.reply_to_id or "")
    comment = message.reply_to_comment_id or comment_part(message.reply_to_id or "")
    if comment:  # without_mention: Weibo would put words of its own before ours, which a read-back must find again
        return "comments/reply.json", {"id": target, "cid": comment, "comment": message.text, "without_mention": "1"}
    return "comments/create.json", {"id": target, "comment": message.text}
