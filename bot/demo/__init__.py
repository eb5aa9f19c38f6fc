"""The demo: the whole pipeline on a local microblog, with photos that the installed packages ship."""
