"""A local microblog that speaks Weibo's and X's own HTTP APIs: the demo's world and the tests' platform.

As a process (its ledger outlives any death of the bot)::

    python -m bot.microblog --port 8765 [--state FILE]

In a test or the demo, as a context manager (a uvicorn thread on 127.0.0.1, port 0 = any free one)::

    from bot.microblog.server import Microblog

    with Microblog(clock=clock) as mb:          # or world=World(clock, bot_screen_name=..., bot_username=..., campaign=...)
        mb.url                                  # http://127.0.0.1:<port>, the page a person uses
        mb.weibo_url, mb.x_url                  # bases of the two APIs: + "/2/statuses/mentions.json", + "/2/tweets"
        mb.credentials                          # the bot's tokens on both sides (bot.microblog.tokens.Credentials)
        post = mb.world.add_post(Side.WEIBO, "passerby", "#随手拍# 火车站", photos=[jpeg])
        mb.faults.add(Fault(FaultKind.TIME_OUT, "/weibo/2/comments/create.json", accepted=True, seconds=5))
        mb.world.ledger.publications            # everything the bot said, in order
        mb.world.rules.indexing_delay_s = 30    # limits and manners of the platforms: bot.microblog.rules.Rules

From another process: :class:`bot.microblog.client.WorldClient` (the control interface under ``/_world/``). ``--state`` keeps the
world in an SQLite file, written before each answer, so that it goes on after the microblog itself was killed.

Layers, lowest first: ``model ids text`` (values), ``ledger tokens rules``, ``shelf`` (what is kept), ``world`` (what can happen),
``weibo_* x_* media`` (the platforms' HTTP), ``control page`` (for people and tests), ``faults wire`` (what goes wrong),
``server``.

Weibo photos are served at ``/weibo/{thumbnail,bmiddle,large}/<pid>.jpg`` and X photos at ``/x/media/<name>.jpg?name=orig``;
``large`` and ``orig`` give the bytes exactly as they were handed in.
"""
