"""`make demo`: the main job of Pullkeeper, live and in under a minute, on any machine with Python."""
