"""The command line's nouns: one file = one noun. Each file defines ``app`` (a Typer) or ``register(app)``, and its
words stand in ``bot.__main__.MODULES``, so that a command loads its own file alone.

Every command takes ``config: ConfigOption`` and ``as_json: JsonOption``, opens what it needs through
:mod:`bot.commands.common`, and lets :class:`store.errors.SuishoupaiError` fly: ``bot.__main__`` prints it and picks the code.
"""
