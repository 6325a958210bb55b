"""Keys and accounts are revoked as asked, and never those of whoever asks."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.audit import keys, revocation
from opslib.host.params import ParamError
from opslib.host.tasks.revoke_access import RevokeAccess

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPMtBVvGqXpoFlKoTlpKdHfqHyYQfQ4NTG9JxVXMsGX"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHHtBVvGqXpoFlKoTlpKdHfqHyYQfQ4NTG9JxVXMsGX"
PRINT = next(keys.parse(KEY))["fingerprint"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("keys", [5, {"a": 1}, ["SHA256:x"], ["MD5:" + "a" * 43], [PRINT + "="], *([text] for text in HOSTILE)]),
        ("users", [5, {"a": 1}, ["-x"], ["a b"], ["x" * 33], *([text] for text in HOSTILE)]),
        ("processes", ["maybe", 2, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^revoke_access: %s: " % name):
            RevokeAccess(**{"users": ["eve"], name: value})


@pytest.mark.parametrize(("args", "words"), [({}, "neither is asked"), ({"users": ["root"]}, "root is not locked")])
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        RevokeAccess(**args)


def plan(*, used=(), own=("ops",), locked=False, running=2, uid=1005, **args):
    users = args.get("users", [])
    state = {
        "keys": [{"user": "eve", "path": "/home/eve/.ssh/authorized_keys", "fingerprint": PRINT, "comment": "evil"}],
        "used": set(used),
        "uids": {user: uid for user in users if user != "nobody-knows"},
        "locked": dict.fromkeys(users, locked),
        "running": dict.fromkeys(users, running),
        "own": set(own),
    }
    return RevokeAccess(**args).plan(state)


def test_what_is_revoked():
    found = plan(keys=[PRINT], users=["eve"])
    assert [change.detail[0] for change in found.changes] == ["keys", "lock", "kill"]
    assert found.changes[2].summary == "kill 2 processes of eve"
    assert [change.detail[0] for change in plan(users=["eve"], locked=True, processes=False).changes] == ["keys"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"users": ["ops"]}, "ops is who runs this"),
        ({"users": ["toor"], "uid": 0}, "root by another name"),
        ({"users": ["nobody-knows"]}, "there is no user nobody-knows"),
        ({"keys": [PRINT], "used": [PRINT]}, "somebody logged in from where this run comes from"),
    ],
)
def test_nobody_locks_themselves_out(args, words):
    found = plan(**args)
    assert words in found.failure
    assert found.failure.endswith("nothing was revoked")
    assert found.changes == ()


def test_other_lines_stay(tmp_path):
    path = tmp_path / "authorized_keys"
    text = '# mine\n%s me\nfrom="10.0.0.1" %s evil\n\n%s other' % (OTHER, KEY, OTHER)
    path.write_text(text)
    path.chmod(0o640)
    revocation.remove(str(path), {PRINT})
    assert path.read_text() == "# mine\n%s me\n\n%s other" % (OTHER, OTHER)
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(str(tmp_path)) == ["authorized_keys"]


def test_links_are_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text(KEY)
    (tmp_path / "authorized_keys").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        revocation.remove(str(tmp_path / "authorized_keys"), {PRINT})
    assert target.read_text() == KEY


@given(st.lists(st.sampled_from([KEY + "\n", OTHER + " x\n", "# c\n", "\n", "junk\n"])))
def test_only_that_key_goes(lines):
    kept = revocation.without("".join(lines), {PRINT})
    assert kept == "".join(line for line in lines if not line.startswith(KEY))
