"""The pipeline's steps: poll -> extract -> match -> alert, each storing its effect together with its mark."""
