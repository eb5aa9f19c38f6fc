"""Weibo's JSON: users, statuses, comments and their envelopes, field for field as recorded ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.microblog import text as words
from bot.microblog.ids import weibo_comment_mid
from bot.microblog.model import Account, Comment, Entry
from bot.microblog.world import World

Json = dict[str, Any]

BEIJING = ZoneInfo("Asia/Shanghai")
DELETED_TEXT = "此微博已被原作者删除。"
SOURCE = '<a href="http://app.weibo.com/t/feed/local" rel="nofollow">本地微博</a>'


def when(at: datetime) -> str:
    """``Fri Jan 06 23:00:21 +0800 2017``; English names whatever the locale."""
    local = at.astimezone(BEIJING)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[local.month - 1]
    return f"{day} {month} {local:%d %H:%M:%S %z %Y}"


class WeiboShapes:
    """Renders the world as Weibo would. ``base`` is the address photos are served under (``http://127.0.0.1:8765/weibo``)."""

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self.base = base

    def user(self, account: Account) -> Json:
        """A user object."""
        return {
            "id": account.uid,
            "idstr": str(account.uid),
            "screen_name": account.screen_name,
            "name": account.screen_name,
            "province": account.province,
            "city": account.city,
            "location": account.location,
            "description": "",
            "profile_image_url": f"{self.base}/face/{account.uid}.svg",
            "gender": "n",
            "followers_count": 0,
            "friends_count": 0,
            "statuses_count": 0,
            "created_at": when(account.created_at),
            "following": False,
            "geo_enabled": True,
            "verified": account.verified_type >= 0,
            "verified_type": account.verified_type,
            "verified_reason": account.verified_reason,
            "allow_all_comment": True,
            "follow_me": False,
            "lang": "zh-cn",
        }

    def status(self, entry: Entry, pictures: str, long_text: bool = False) -> Json:
        """A status. ``pictures`` is ``pic_ids`` (search) or ``pic_urls`` (elsewhere); a deleted one keeps only its marks."""
        account = self.world.account(entry.author)
        number = str(entry.id)
        body: Json = {"created_at": when(entry.posted_at), "id": entry.id, "mid": number, "idstr": number}
        if entry.deleted:
            return body | {"text": DELETED_TEXT, "source": "", "deleted": "1", "geo": None, "annotations": []}
        is_long = words.weibo_length(entry.text) > 140
        body |= {
            "text": self._cut(entry, account) if is_long else entry.text,
            "textLength": round(words.weibo_length(entry.text) * 2),
            "source_allowclick": 0,
            "source_type": 1,
            "source": SOURCE,
            "favorited": False,
            "truncated": False,
            "in_reply_to_status_id": "",
            "in_reply_to_user_id": "",
            "in_reply_to_screen_name": "",
        }
        body |= self._pictures(entry, pictures)
        body |= {"geo": self._geo(entry), "user": self.user(account), "annotations": self._annotations(entry)}
        body |= {
            "reposts_count": len(self.world.about(entry.id)),
            "comments_count": len(self.world.comments_where(post_id=entry.id)),
            "attitudes_count": 0,
            "isLongText": is_long,
            "mlevel": 0,
            "visible": {"type": 0, "list_id": 0},
            "biz_feature": 0,
            "userType": 0,
            "positive_recom_flag": 0,
            "gif_ids": "",
            "is_show_bulletin": 2,
        }
        if is_long and long_text:
            body["longText"] = {"longTextContent": entry.text, "linkObjects": []}
        if entry.repost_of is not None:
            body["retweeted_status"] = self.status(self.world.entry(entry.repost_of), pictures, long_text)
        return body

    def comment(self, comment: Comment, with_status: bool = True) -> Json:
        """A comment, with the status it stands under and the comment it answers."""
        body: Json = {
            "created_at": when(comment.posted_at),
            "id": comment.id,
            "text": comment.text,
            "source": SOURCE,
            "user": self.user(self.world.account(comment.author)),
            "mid": weibo_comment_mid(comment.id),
            "idstr": str(comment.id),
        }
        if with_status:
            body["status"] = self.status(self.world.entry(comment.post_id), "pic_urls")
            if comment.reply_to is not None:
                body["reply_comment"] = self.comment(self.world.comments[comment.reply_to], with_status=False)
        return body

    def picture(self, name: str, size: str) -> str:
        """The address of picture ``name`` in ``size`` (thumbnail, bmiddle, large)."""
        return f"{self.base}/{size}/{name}.{self.world.photos[name].extension}"

    def _pictures(self, entry: Entry, pictures: str) -> Json:
        if pictures == "pic_ids":
            body: Json = {"pic_ids": list(entry.photos)}
        else:
            body = {"pic_urls": [{"thumbnail_pic": self.picture(name, "thumbnail")} for name in entry.photos]}
        if entry.photos:
            first = entry.photos[0]
            body |= {"thumbnail_pic": self.picture(first, "thumbnail"), "bmiddle_pic": self.picture(first, "bmiddle")}
            body["original_pic"] = self.picture(first, "large")
        return body

    @staticmethod
    def _cut(entry: Entry, account: Account) -> str:
        return f"{entry.text[:135]}...全文： http://m.weibo.cn/{account.uid}/{entry.id} \u200b"

    @staticmethod
    def _geo(entry: Entry) -> Json | None:
        return None if entry.geo is None else {"type": "Point", "coordinates": list(entry.geo)}

    @staticmethod
    def _annotations(entry: Entry) -> list[Json]:
        found: list[Json] = []
        if entry.place is not None:
            place = entry.place
            point = {"lon": place.lon, "lat": place.lat} if place.lon is not None else {}
            found.append({"place": {**point, "poiid": place.id, "title": place.name, "type": "checkin"}})
        return [*found, {"client_mblogid": f"local-{entry.id}"}, {"mapi_request": True}]


def status_envelope(statuses: list[Json], total: int, next_cursor: int) -> Json:
    """The envelope of a timeline; ``next_cursor`` is the ``max_id`` of the following page, 0 on the last."""
    return {
        "statuses": statuses,
        "advertises": [],
        "ad": [],
        "hasvisible": False,
        "previous_cursor": 0,
        "next_cursor": next_cursor,
        "total_number": total,
        "interval": 0,
    }


def comment_envelope(comments: list[Json], total: int, next_cursor: int) -> Json:
    """The envelope of a list of comments."""
    return {
        "comments": comments,
        "marks": [],
        "hasvisible": False,
        "previous_cursor": 0,
        "next_cursor": next_cursor,
        "total_number": total,
    }
