"""The servers that the file server is compared with."""
