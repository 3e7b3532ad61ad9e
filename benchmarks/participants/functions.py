"""Blocking functions that a pool runs in one hop, since each hop is dear."""

import os


def preadinto(file: int, buffer: memoryview, offset: int) -> int:
    return os.preadv(file, [buffer], offset)


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def write_file(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def write_file_fsync(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def walk(path: str) -> int:
    return sum(len(files) for _, _, files in os.walk(path))
