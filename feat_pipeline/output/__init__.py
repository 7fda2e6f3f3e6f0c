"""The folder of results: its files and log, predictions written and read, pictures."""
