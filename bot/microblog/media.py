"""Serves pictures as the platforms' picture hosts do, and plain faces for profile pictures."""

from __future__ import annotations

import functools

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.microblog.pictures import MEDIA_TYPES, scaled
from bot.microblog.world import World

_WEIBO_SIZES = {"large": 0, "mw1024": 1024, "bmiddle": 440, "thumbnail": 180}
_X_SIZES = {"orig": 0, "4096x4096": 4096, "large": 2048, "medium": 1200, "small": 680, "thumb": 150}
_HUES = 360


class MediaHost:
    """``large`` and ``orig`` are the bytes as handed in; the smaller sizes are JPEG renditions. X gives medium if not asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._rendition = functools.lru_cache(maxsize=512)(scaled)

    def routes(self) -> list[Route]:
        """Picture routes of both sides."""
        return [
            Route("/weibo/face/{number}.svg", self.face),
            Route("/x/face/{number}.svg", self.face),
            Route("/weibo/{size}/{file}", self.weibo_picture),
            Route("/x/media/{file}", self.x_picture),
        ]

    async def weibo_picture(self, request: Request) -> Response:
        """``/weibo/large/<pid>.jpg``."""
        size = request.path_params["size"]
        if size not in _WEIBO_SIZES:
            return PlainTextResponse("Not Found", 404)
        return self._picture(request.path_params["file"], _WEIBO_SIZES[size])

    async def x_picture(self, request: Request) -> Response:
        """``/x/media/<name>.jpg?name=orig`` or ``/x/media/<name>?format=jpg&name=orig``."""
        size = request.query_params.get("name", "medium")
        if size not in _X_SIZES:
            return PlainTextResponse("Not Found", 404)
        return self._picture(request.path_params["file"], _X_SIZES[size])

    def _picture(self, file: str, longest_px: int) -> Response:
        name, _, extension = file.partition(".")
        photo = self.world.photos.get(name)
        if photo is None or (extension and extension != photo.extension):
            return PlainTextResponse("Not Found", 404)
        if not longest_px or photo.extension == "gif":
            return Response(photo.data, media_type=MEDIA_TYPES[photo.extension])
        small = self._rendition(photo.data, longest_px)
        return Response(small, media_type=MEDIA_TYPES[photo.extension] if small is photo.data else "image/jpeg")

    async def face(self, request: Request) -> Response:
        """A plain profile picture: one colour an account."""
        number = request.path_params["number"]
        hue = sum(map(ord, number)) * 47 % _HUES
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">'
            f'<rect width="48" height="48" fill="hsl({hue} 35% 62%)"/></svg>'
        )
        return Response(svg, media_type="image/svg+xml")
