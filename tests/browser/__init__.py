"""The web page in a real Chromium, over a running local system."""
