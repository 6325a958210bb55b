"""The floor: fifty threads, one connection and one exec per host over paramiko. Arguments: hosts, key, known_hosts."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

SCRIPT = (Path(__file__).parent / "floor.sh").read_text()


def check(address: str) -> int:
    client = paramiko.SSHClient()
    client.load_host_keys(sys.argv[3])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(address, username="root", key_filename=sys.argv[2], allow_agent=False, look_for_keys=False)
    stdin, stdout, _stderr = client.exec_command("sh -s")
    stdin.write(SCRIPT)
    stdin.channel.shutdown_write()
    stdout.read()
    code = stdout.channel.recv_exit_status()
    client.close()
    return code


with ThreadPoolExecutor(50) as pool:
    codes = list(pool.map(check, json.loads(sys.argv[1])))
sys.exit(max(codes))
