"""The lab keeps its promises: real hosts, faults that can be made and undone, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import opslib
from opslib.lab import Lab, LabError, LabHost
from opslib.lab.places import RUN, locked
from opslib.lab.processes import zombie
from opslib.lab.state import LabState, load

SSH_PORT = 22
ROOT = Path(opslib.__file__).parents[1]
MINE = f"test-{os.getpid()}"  # names of labs, when several test processes run


def ssh(lab: Lab, host: LabHost, *command: str, user: str = "root", text: str = "", seconds: int = 10) -> str:
    """Standard output of a command over ssh(1), or the AssertionError with what ssh said."""
    options = ["-F", str(lab.ssh_config), "-o", "BatchMode=yes", "-o", f"ConnectTimeout={seconds}", "-l", user]
    done = subprocess.run(
        ["ssh", *options, host.name, *command], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def banner(host: LabHost, seconds: float = 1.0) -> bytes:
    """What sshd says first; OSError when there is no connection or no word in time."""
    with socket.create_connection((host.address, SSH_PORT), timeout=seconds) as connection:
        return connection.recv(4)


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def state_of(name: str) -> LabState:
    state = load(RUN / name)
    assert state is not None
    return state


def traces(state: LabState) -> list[str]:
    """Everything on this machine that belongs to the lab."""
    found = [str(path) for path in (*Path("/sys/class/net").glob(f"ol{state.id}*"), *RUN.glob(f"*{state.name}*"))]
    for folder, pattern in (
        ("/run/netns", f"*{state.id}*"),
        ("/run/systemd/nspawn", f"*/*{state.id}*"),
        ("/sys/fs/cgroup", f"opslib-lab-{state.id}"),
        ("/sys/fs/cgroup", f"*/opslib-lab-{state.id}"),
    ):
        found += map(str, Path(folder).glob(pattern))
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{state.name}/" in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if zombie(int(process.name)):  # dead; init collects it when it likes
                continue
            words = (process / "cmdline").read_text(errors="replace") + (process / "cgroup").read_text()
        except OSError:
            continue
        if f"opslib-{state.id}" in words or f"opslib-lab-{state.id}" in words or f"{RUN}/{state.name}" in words:
            found.append(f"{process.name} {words}")
    return found


def owner_process(program: str) -> subprocess.Popen[str]:
    """Another Python that runs `program` with a lab in it; its output can be read."""
    return subprocess.Popen(
        [sys.executable, "-c", f"import time\nfrom opslib.lab import Lab\n{program}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# --- what a host is ---


def test_hosts_are_booted_and_answer(lab: Lab) -> None:
    assert [host.name for host in lab.hosts] == [f"lab{number}" for number in range(1, len(lab.hosts) + 1)]
    for host in lab.hosts:
        assert ssh(lab, host, "cat /etc/hostname") == f"{host.name}\n"
        assert host.read("/etc/hostname") == f"{host.name}\n"


def test_hosts_boot_without_complaint() -> None:
    with Lab(hosts=2) as lab:
        for host in lab.hosts:
            assert host.run(["systemctl", "is-system-running"]).stdout == "running\n"
            warnings = host.run(["journalctl", "-b", "-p", "warning", "-o", "cat"]).stdout.splitlines()
            # dbus says so where not even root may raise limits (CAP_SYS_RESOURCE).
            assert [line for line in warnings if "Failed to set fd limit" not in line] == []


def test_hosts_differ_and_reach_each_other(lab: Lab) -> None:
    first, second = lab.hosts[:2]
    assert first.host_key != second.host_key
    assert first.read("/etc/machine-id") != second.read("/etc/machine-id")
    probe = "import socket; print(socket.create_connection(('lab2', 22), 5).recv(4))"
    assert first.run(["python3", "-c", probe]).stdout == "b'SSH-'\n"


def test_users(lab: Lab) -> None:
    host = lab.hosts[0]
    assert ssh(lab, host, "id -u") == "0\n"
    assert ssh(lab, host, "sudo -n id -u", user="ops") == "0\n"
    assert ssh(lab, host, "sudo -S id -u", user="pat", text=f"{lab.sudo_password}\n") == "0\n"
    with pytest.raises(AssertionError, match="a password is required"):
        ssh(lab, host, "sudo -n id -u", user="pat")
    assert ssh(lab, host, "id -un", user="nosudo") == "nosudo\n"
    assert "nosudo is not allowed to run sudo" in host.run(["sudo", "-l", "-U", "nosudo"]).stdout


def test_files_of_the_lab_are_private(lab: Lab) -> None:
    assert lab.private_key.stat().st_mode & 0o777 == 0o600
    assert lab.folder.stat().st_mode & 0o777 == 0o700
    for path in (lab.inventory, lab.ssh_config, lab.known_hosts):
        assert lab.sudo_password not in path.read_text()


def test_ansible_takes_the_inventory(lab: Lab, tmp_path: Path) -> None:
    for text in (lab.inventory.read_text(), lab.inventory_text(user="ops", hosts=lab.hosts[:1])):
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(text)
        argv = [sys.executable, "-m", "ansible", "adhoc", "-i", str(inventory), "lab", "-m", "ping"]
        environ = {**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_SSH_ARGS": "-o ControlMaster=no"}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("SUCCESS") == text.count("ansible_host:")


def test_services_crash_restart_and_log(lab_host: LabHost) -> None:
    unit = "[Service]\nExecStart=/bin/sh -c 'echo hello; sleep 0.1; exit 3'\nRestart=on-failure\nRestartSec=100ms\n"
    lab_host.write("/etc/systemd/system/crash.service", unit)
    lab_host.run(["systemctl", "daemon-reload"])
    lab_host.run(["systemctl", "start", "crash.service"])

    def restarts() -> int:
        return int(lab_host.run(["systemctl", "show", "-P", "NRestarts", "crash.service"]).stdout)

    assert eventually(lambda: restarts() >= 2)
    assert "hello" in lab_host.run(["journalctl", "-u", "crash.service", "-o", "cat"]).stdout


# --- looking and preparing ---


def test_run(lab: Lab) -> None:
    host = lab.hosts[0]
    assert host.run(["cat"], input="ä\n").stdout == "ä\n"
    assert host.run(["sh", "-c", "exit 3"], check=False).returncode == 3
    assert host.run(["id", "-un"], user="pat").stdout == "pat\n"
    assert host.run(["printf", "%s", "a b; $HOME"]).stdout == "a b; $HOME"
    with pytest.raises(LabError, match=r"lab1: .*exit code 4: no"):
        host.run(["sh", "-c", "echo no >&2; exit 4"])
    with pytest.raises(LabError, match="argument list"):
        host.run("ls -l")
    with pytest.raises(LabError, match=r"lab1: .*no end after 0\.2 seconds"):
        host.run(["sleep", "54321"], timeout=0.2)
    assert not any("54321" in process.command for process in host.pids())


def test_run_does_not_show_our_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSLIB_TEST_SECRET", "hush")
    assert "hush" not in lab.hosts[0].run(["env"]).stdout


def test_run_has_no_more_rights_than_the_host(lab: Lab) -> None:
    def bounding_set(pid: str) -> str:
        return lab.hosts[0].run(["grep", "CapBnd", f"/proc/{pid}/status"]).stdout

    assert bounding_set("self") == bounding_set("1")
    cap_sys_time = 25
    assert not int(bounding_set("self").split()[1], 16) >> cap_sys_time & 1


def test_write_and_read(lab_host: LabHost) -> None:
    content = bytes(range(256))
    lab_host.write("/srv/new/a file", content, 0o640, owner="ops")
    assert lab_host.read_bytes("/srv/new/a file") == content
    assert lab_host.run(["stat", "-c", "%a %U %G", "/srv/new/a file"]).stdout == "640 ops ops\n"
    lab_host.write("/srv/new/a file", "")
    assert lab_host.read("/srv/new/a file") == ""
    with pytest.raises(LabError, match="/no/such"):
        lab_host.read("/no/such")


def test_links_in_the_host_stay_in_the_host(lab_host: LabHost, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("ours")
    lab_host.run(["ln", "-s", str(outside), "/srv/link"])
    with pytest.raises(LabError):
        lab_host.read("/srv/link")


def test_pids_as_seen_from_inside(lab_host: LabHost) -> None:
    lab_host.run(["systemd-run", "--unit=probe", "--setenv=TOKEN=abc", "sleep", "1000"])
    processes = {process.pid: process for process in lab_host.pids()}
    assert os.getpid() not in {process.outer_pid for process in processes.values()}
    assert processes[1].command[0].endswith(("init", "systemd"))
    (probe,) = [process for process in processes.values() if process.command[-1:] == ("1000",)]
    assert probe.environ["TOKEN"] == "abc"
    assert lab_host.read_bytes(f"/proc/{probe.pid}/cmdline").endswith(b"sleep\x001000\x00")


# --- faults ---


def test_frozen_host_accepts_and_says_nothing(lab_host: LabHost) -> None:
    lab_host.freeze()
    with socket.create_connection((lab_host.address, SSH_PORT), timeout=1) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert lab_host.read("/etc/hostname") == "lab1\n"
    lab_host.thaw()
    assert banner(lab_host) == b"SSH-"


def test_frozen_host_can_be_reset(lab_host: LabHost) -> None:
    lab_host.freeze()
    lab_host.reset()
    assert banner(lab_host) == b"SSH-"


def test_cut_and_mended_network(lab_host: LabHost) -> None:
    with socket.create_connection((lab_host.address, SSH_PORT), timeout=1) as connection:
        assert connection.recv(4) == b"SSH-"
        lab_host.cut()
        with pytest.raises(OSError):
            banner(lab_host, 0.3)
        lab_host.mend()
        assert eventually(lambda: can_connect(lab_host))
        connection.sendall(b"x\n")  # a connection survives a short cut
        connection.settimeout(5)
        assert connection.recv(1)


def can_connect(host: LabHost) -> bool:
    try:
        return banner(host) == b"SSH-"
    except OSError:
        return False


def free_bytes(host: LabHost) -> int:
    return int(host.run(["stat", "-f", "-c", "%a %S", "/"]).stdout.split()[0]) * 4096


def test_full_disk(lab_host: LabHost) -> None:
    before = free_bytes(lab_host)
    assert 400 << 20 < before < 512 << 20
    lab_host.fill_disk()
    with pytest.raises(LabError, match="No space left"):
        lab_host.run(["dd", "if=/dev/zero", "of=/srv/big", "bs=64k", "count=1"])
    assert lab_host.run(["find", "/", "-xdev", "-size", "+100M"]).stdout == ""
    lab_host.free_disk()
    lab_host.run(["dd", "if=/dev/zero", "of=/srv/big", "bs=64k", "count=1"])
    lab_host.fill_disk(leave_bytes=1 << 20)
    assert (1 << 20) - 65536 <= free_bytes(lab_host) <= 1 << 20
    lab_host.free_disk()
    assert free_bytes(lab_host) > before - (8 << 20)
    with pytest.raises(LabError, match="negative"):
        lab_host.fill_disk(leave_bytes=-1)


def test_power_cut_keeps_the_disk_and_tells_nobody(lab_host: LabHost) -> None:
    lab_host.write("/srv/kept", "yes")
    lab_host.write("/run/lost", "yes")
    with socket.create_connection((lab_host.address, SSH_PORT), timeout=1) as connection:
        while b"\n" not in connection.recv(100):
            pass
        lab_host.kill()
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert not lab_host.running()
    for use in (lambda: lab_host.run(["true"]), lab_host.pids, lab_host.freeze, lab_host.cut):
        with pytest.raises(LabError, match="lab1 is off"):
            use()
    lab_host.kill()  # nothing to do
    lab_host.boot()
    assert lab_host.read("/srv/kept") == "yes"
    with pytest.raises(LabError):
        lab_host.read("/run/lost")
    with pytest.raises(LabError, match="on already"):
        lab_host.boot()


def test_a_host_that_powers_itself_off_can_be_booted(lab_host: LabHost) -> None:
    lab_host.run(["systemctl", "poweroff"], check=False)
    assert eventually(lambda: not lab_host.running())
    lab_host.boot()
    assert banner(lab_host) == b"SSH-"


def test_reset_gives_the_same_pristine_host(lab: Lab, lab_host: LabHost) -> None:
    identity = (lab_host.host_key, lab_host.read("/etc/machine-id"))
    lab_host.write("/srv/x", "x")
    lab_host.run(["systemctl", "mask", "ssh.service"])
    lab_host.run(["ip", "address", "add", "192.0.2.77/32", "dev", "lo"])
    lab_host.run(["sysctl", "-w", "net.ipv4.ip_local_port_range=2000 3000"])
    lab_host.run(["rm", "-r", "/usr/share/perl5"])
    lab_host.cut()
    start = time.monotonic()
    lab_host.reset()
    seconds = time.monotonic() - start
    assert seconds < 10, "half a second on an idle machine"
    assert (lab_host.host_key, lab_host.read("/etc/machine-id")) == identity
    assert lab_host.run(["ls", "/srv"]).stdout == ""
    assert "192.0.2.77" not in lab_host.run(["ip", "address"]).stdout
    assert "2000" not in lab_host.run(["sysctl", "net.ipv4.ip_local_port_range"]).stdout
    lab_host.run(["test", "-d", "/usr/share/perl5"])
    assert lab_host.run(["systemctl", "is-system-running"]).stdout == "running\n"
    assert ssh(lab, lab_host, "id -un") == "root\n"


def test_changed_host_key_is_refused(lab: Lab, lab_host: LabHost) -> None:
    other = lab_host.rekey()
    assert other != lab_host.host_key
    with pytest.raises(AssertionError, match="REMOTE HOST IDENTIFICATION HAS CHANGED"):
        ssh(lab, lab_host, "true")
    assert other in lab_host.read("/etc/ssh/ssh_host_ed25519_key.pub")
    lab_host.reset()
    ssh(lab, lab_host, "true")


def test_killed_sshd(lab: Lab, lab_host: LabHost) -> None:
    with socket.create_connection((lab_host.address, SSH_PORT), timeout=1) as connection:
        assert connection.recv(4) == b"SSH-"
        lab_host.kill_sshd()
        connection.settimeout(2)
        with suppress(ConnectionResetError):
            while connection.recv(100):
                pass
    with pytest.raises(ConnectionRefusedError):
        banner(lab_host)
    lab_host.kill_sshd()
    for _ in range(8):  # more often than systemd's start limit
        lab_host.start_sshd()
    ssh(lab, lab_host, "true")


def test_slow_link_and_silent_listener(lab: Lab) -> None:
    host = lab.hosts[0]
    before = lab.known_hosts.read_text()
    with lab.slow_link(host, delay_ms=100) as end:
        start = time.monotonic()
        argv = ["ssh", "-o", "StrictHostKeyChecking=yes", "-i", lab.private_key]
        argv += ["-o", f"UserKnownHostsFile={lab.known_hosts}", "-o", "BatchMode=yes", "-p", str(end.port)]
        done = subprocess.run([*argv, f"root@{end.address}", "hostname"], capture_output=True, text=True, check=False)
        assert done.stdout == "lab1\n", done.stderr
        assert time.monotonic() - start > 0.6  # at least three round trips
    assert lab.known_hosts.read_text() == before
    with (
        lab.silent_listener() as end,
        socket.create_connection(end, timeout=0.2) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.recv(1)


# --- labs as a whole ---


def test_a_layer_brings_back_what_was_written_but_not_who_wrote_it(lab: Lab, tmp_path: Path) -> None:
    with Lab(hosts=1, disk="64M") as maker:
        host = maker.hosts[0]
        host.write("/srv/made/file", "once", owner="pat", mode=0o640)
        host.run(["rm", "/etc/debian_version"])
        host.write("/tmp/passing", "x")
        with pytest.raises(LabError, match="kill"):
            host.save_layer(tmp_path / "layer")
        host.kill()
        host.save_layer(tmp_path / "layer")
        key = host.host_key
    with Lab(hosts=1, disk="64M", layers=[tmp_path / "layer"]) as user:
        host = user.hosts[0]
        for _ in range(2):
            assert host.read("/srv/made/file") == "once"
            assert host.run(["stat", "-c", "%U %a", "/srv/made/file"]).stdout == "pat 640\n"
            assert host.run(["test", "-e", "/etc/debian_version"], check=False).returncode == 1
            assert host.run(["test", "-e", "/tmp/passing"], check=False).returncode == 1
            assert host.run(["stat", "-c", "%a", "/tmp"]).stdout == "1777\n"
            assert host.host_key != key
            ssh(user, host, "true")
            host.reset()


def test_two_labs_do_not_meet(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ours")
    writable = tmp_path / "writable"
    writable.mkdir()
    with Lab(hosts=1, disk="64M", binds={tmp_path: "/mnt/in", writable: "/mnt/out:rw"}) as other:
        host = other.hosts[0]
        assert other.address != lab.address
        assert host.address not in {each.address for each in lab.hosts}
        assert host.read("/mnt/in/file") == "ours"
        with pytest.raises(LabError):
            host.write("/mnt/in/file", "theirs")
        host.write("/mnt/out/file", "theirs")
        assert (writable / "file").read_text() == "theirs"
        assert free_bytes(host) < 64 << 20
        state = state_of(other.name)
    assert traces(state) == []
    assert (writable / "file").exists()
    ssh(lab, lab.hosts[0], "true")


def test_leaving_by_an_exception_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), Lab(hosts=2) as lab:
        state = state_of(lab.name)
        assert len(traces(state)) > 10  # so that the empty list below means something
        lab.hosts[0].freeze()
        lab.hosts[1].kill()
        # As when the owner dies between starting systemd-nspawn and moving it into the lab's control group.
        program = ["systemd-nspawn", "-c", "import time; time.sleep(600)", f"--machine={state.namespace(1)}"]
        stray = subprocess.Popen(program, executable=sys.executable)
        assert eventually(lambda: b"--machine" in Path(f"/proc/{stray.pid}/cmdline").read_bytes())
        raise ZeroDivisionError
    assert stray.wait(5) == -signal.SIGKILL
    assert traces(state) == []
    with pytest.raises(LabError, match="not started, or stopped"):
        lab.hosts  # noqa: B018
    lab.stop()


def test_a_host_that_does_not_boot_fails_the_start_and_leaves_nothing() -> None:
    lab = Lab(hosts=3, name=MINE, boot_timeout=0.01)
    with pytest.raises(LabError, match=r"lab[123] did not boot: not ready after 0\.01 seconds"):
        lab.__enter__()
    assert not (RUN / MINE).exists()


def test_a_name_is_used_once() -> None:
    with Lab(hosts=1, name=MINE) as lab, pytest.raises(LabError, match=f"{MINE!r} exists"):
        assert lab.name == MINE
        Lab(hosts=1, name=MINE).__enter__()


def test_watchers_are_told_and_cannot_harm() -> None:
    said: list[str] = []

    def watch(progress: object) -> None:
        said.append(str(progress))
        raise RuntimeError

    with Lab(hosts=1, progress=watch):
        pass
    assert any("lab1 up" in text and "done=1, total=1" in text for text in said)


def test_sigkill_of_the_owner_leaves_nothing() -> None:
    process = owner_process("with Lab(hosts=2) as lab:\n print(lab.name, flush=True)\n time.sleep(600)")
    with process:
        assert process.stdout is not None
        state = state_of(process.stdout.readline().strip())
        assert len(traces(state)) > 10
        process.kill()
    assert eventually(lambda: not traces(state)), traces(state)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["preparing the hosts", "lab1 up"])
def test_ending_in_the_middle_of_the_start_leaves_nothing(how: signal.Signals, moment: str) -> None:
    program = (
        f"with Lab(hosts=4, name={MINE!r}, progress=lambda p: {moment!r} in p.text and print('now', flush=True)):\n"
        " time.sleep(600)"
    )
    with owner_process(program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        state = state_of(MINE)
        process.send_signal(how)
    assert eventually(lambda: not traces(state)), traces(state)


def test_the_next_start_sweeps_what_a_dead_watchdog_left() -> None:
    process = owner_process("with Lab(hosts=1) as lab:\n print(lab.name, flush=True)\n time.sleep(600)")
    with process:
        assert process.stdout is not None
        state = state_of(process.stdout.readline().strip())
        with locked(RUN / ".lock"):  # or a lab that another test starts would sweep already
            for entry in Path("/proc").glob("[0-9]*"):
                words = (entry / "cmdline").read_bytes() if entry.exists() else b""
                if b"watchdog" in words and state.name.encode() in words:
                    os.kill(int(entry.name), signal.SIGKILL)
            process.kill()
            time.sleep(1)
            assert len(traces(state)) > 5
            assert [info.alive for info in Lab.list() if info.name == state.name] == [False]
            with pytest.raises(LabError, match="no lab called"):
                Lab.attach(state.name)
    with Lab(hosts=1):
        assert traces(state) == []


def test_a_detached_lab_outlives_its_maker() -> None:
    with owner_process(f"Lab.start(hosts=2, name={MINE!r}, detached=True)") as process:
        pass
    assert process.returncode == 0
    lab = Lab.attach(MINE)
    try:
        time.sleep(3)  # longer than a watchdog takes to look
        assert [(info.hosts, info.detached, info.alive) for info in Lab.list() if info.name == MINE] == [
            (2, True, True)
        ]
        ssh(lab, lab.hosts[1], "true")
        lab.hosts[0].reset()
        ssh(lab, lab.hosts[0], "true")
        state = state_of(MINE)
    finally:
        lab.stop()
    assert traces(state) == []
    with pytest.raises(LabError, match=f"no lab called {MINE!r}"):
        Lab.attach(MINE)


def test_a_strict_umask_does_not_reach_the_hosts() -> None:
    before = os.umask(0o077)
    try:
        with Lab(hosts=1) as lab:
            ssh(lab, lab.hosts[0], "cat /etc/hosts /etc/hostname", user="nosudo")
    finally:
        os.umask(before)
