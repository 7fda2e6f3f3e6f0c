"""What each command does: files in, a folder out."""
