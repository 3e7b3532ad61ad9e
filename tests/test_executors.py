"""Which executor "auto" takes, and what it says of a better one that it can't take."""

import errno
import logging
import os
from pathlib import Path

import pytest

from asyncsys_loop import _executors

SLOTS = 1024


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file in the device's place: everything else of the module is _try()'s to say."""
    path = tmp_path / "async_syscall"
    path.touch()
    monkeypatch.setattr(_executors, "KMOD_DEVICE", str(path))
    return path


def fail_with(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(
        _executors, "_try", lambda name, slots: code if name == "kmod" and slots == SLOTS else 0
    )


def reason(caplog: pytest.LogCaptureFixture) -> str:
    """Let "auto" choose, and return the one line that it logs."""
    with caplog.at_level(logging.INFO, "asyncsys_loop"):
        assert _executors.choose("auto", SLOTS) == "threads"
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("the executor is 'threads', and not 'kmod': ")
    assert _executors.probe("kmod", SLOTS).reason in message
    return message


def test_best_that_works(monkeypatch: pytest.MonkeyPatch, device: Path) -> None:
    fail_with(monkeypatch, 0)
    assert _executors.choose("auto", SLOTS) == "kmod"
    assert _executors.choose("kmod", SLOTS) == "kmod"


def test_no_device(caplog: pytest.LogCaptureFixture, device: Path) -> None:
    device.unlink()
    assert f"there is no {device}: the module isn't loaded" in reason(caplog)


def test_no_permission(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, device: Path
) -> None:
    open_file = os.open

    def refuse(path: str, flags: int) -> int:
        if path == str(device):
            raise PermissionError(errno.EACCES, "refused", path)
        return open_file(path, flags)

    monkeypatch.setattr(os, "open", refuse)  # root may open anything
    assert f"no permission to open {device}" in reason(caplog)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.EPERM, "doesn't serve watched processes"),
        (errno.EPROTONOSUPPORT, "has another ABI than this library"),
        (errno.ENOTTY, "has another ABI than this library"),
        (errno.EINVAL, "parameter max_slots allows no table of 1024 slots"),
        (errno.EUSERS, "parameter max_tables"),
        (errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_refused(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    device: Path,
    code: int,
    expected: str,
) -> None:
    fail_with(monkeypatch, code)
    assert expected in reason(caplog)
    with pytest.raises(RuntimeError, match="'kmod' can't be used here: "):
        _executors.choose("kmod", SLOTS)


def test_seccomp_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, device: Path
) -> None:
    fail_with(monkeypatch, errno.EPERM)
    watched = "Name:\tpython\nSeccomp:\t2\nTracerPid:\t0\n"
    status = device.with_name("status")
    status.write_text(watched)
    monkeypatch.setattr(_executors, "STATUS", str(status))
    assert "runs under a seccomp filter" in reason(caplog)
    status.write_text(watched.replace("2", "0").replace("TracerPid:\t0", "TracerPid:\t17"))
    caplog.clear()
    assert "process 17 traces" in reason(caplog)
