"""`make demo`: the main job of Pullkeeper, live, on any machine with Python."""
