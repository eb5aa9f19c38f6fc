"""The demo: the real bot on the local microblog, with real photos of public figures standing in for cases."""
