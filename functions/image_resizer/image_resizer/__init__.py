"""Makes a resized image the first time somebody asks for it, and stores it beside the original."""
