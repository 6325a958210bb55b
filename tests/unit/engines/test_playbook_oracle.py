"""Small playbooks through stock ansible-playbook and through the compiler: the same tasks, items and states."""

# ruff: noqa: E501 - what is one line in a playbook is one line here

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opslib.engines.playbook import load
from opslib.inventory import Inventory
from support import oracle

INVENTORY = """
    [web]
    web1
    web2
    web3
    [db]
    db1
    db2
    [all:vars]
    ansible_connection=local
    ansible_python_interpreter=python3
    ansible_become_exe=true
"""

# name: files (besides the inventory), arguments of ansible-playbook, arguments of load()
CASES: dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]] = {}


def case(name: str, play: str, *argv: str, files: dict[str, str] | None = None, **options: Any) -> None:
    CASES[name] = ({"play.yml": play, **(files or {})}, list(argv), options)


def tasks(*lines: str, hosts: str = "all", more: str = "") -> str:
    """Return a play with tasks, each given as `NAME ~ URL ~ keyword: value ~ ...`."""
    out = [
        f"- hosts: {hosts}",
        "  gather_facts: false",
        *(f"  {line}" for line in more.splitlines() if line),
        "  tasks:",
    ]
    for line in lines:
        name, url, *keywords = [part.strip() for part in line.split(" ~ ")]
        out.append(f"    - name: {name}")
        out.append(f"      opslib.runbook.http_check: {{url: {json.dumps(url)}}}")
        out.extend(f"      {word}" for word in keywords)
    return "\n".join(out) + "\n"


case("plain", tasks("one ~ http://h/a", "two ~ http://h/changed"))
case("unnamed", "- hosts: web\n  gather_facts: false\n  tasks: [{opslib.runbook.http_check: {url: http://h/x}}]\n")
case("a failure ends a host", tasks("one ~ http://h/boom.web2", "two ~ http://h/b"))
case("ignore_errors", tasks("one ~ http://h/boom.web2 ~ ignore_errors: true", "two ~ http://h/b"))
case("when", tasks("one ~ http://h/a ~ when: inventory_hostname != 'web1'", "two ~ http://h/b ~ when: false"))
case("when, a list", tasks("one ~ http://h/a ~ when: [true, \"'web' in group_names\", inventory_hostname == 'web1']"))
case("loop", tasks("one ~ http://h/{{ item }} ~ loop: [a, changed, c]"))
case("loop fails in the middle", tasks("one ~ http://h/{{ item }} ~ loop: [a, boom.web1, changed]", "two ~ http://h/b"))
case("loop with when", tasks("one ~ http://h/{{ item }} ~ loop: [a, b, c] ~ when: item != 'b'"))
case("loop, all skipped", tasks("one ~ http://h/{{ item }} ~ loop: [a, b] ~ when: item == 'z'", "two ~ http://h/b"))
case("empty loop", tasks("one ~ http://h/{{ item }} ~ loop: []", "two ~ http://h/b"))
case("with_items flattens", tasks("one ~ http://h/{{ item }} ~ with_items: [[a, b], c]"))
case("with_dict", tasks("one ~ http://h/{{ item.key }}-{{ item.value }} ~ with_dict: {a: 1, b: 2}"))
case("with_nested", tasks("one ~ http://h/{{ item[0] }}{{ item[1] }} ~ with_nested: [[a, b], [c, d]]"))
case("with_sequence", tasks("one ~ http://h/{{ item }} ~ with_sequence: start=1 end=3"))
case(
    "with_subelements",
    tasks("one ~ http://h/{{ item.0.n }}{{ item.1 }} ~ with_subelements: [[{n: x, l: [a, b]}, {n: y, l: [c]}], l]"),
)
case("with_together", tasks("one ~ http://h/{{ item.0 }}{{ item.1 }} ~ with_together: [[a, b], [c, d]]"))
case("with_indexed_items", tasks("one ~ http://h/{{ item.0 }}{{ item.1 }} ~ with_indexed_items: [a, b]"))
case(
    "with_fileglob",
    tasks("one ~ http://h/{{ item | basename }} ~ with_fileglob: files/*.txt"),
    files={"files/a.txt": "", "files/b.md": ""},
)
case(
    "with_first_found",
    tasks("one ~ http://h/{{ item | basename }} ~ with_first_found: [no.txt, files/a.txt]"),
    files={"files/a.txt": ""},
)
case(
    "loop over a variable",
    tasks(
        'one ~ http://h/{{ item }} ~ loop: "{{ things[inventory_hostname] | default([]) }}"',
        more="vars: {things: {web1: [a], web2: [b, c]}}",
    ),
)
case(
    "loop_control",
    tasks(
        "one ~ http://h/{{ it.n }}{{ i }} ~ loop: [{n: a}, {n: b}]"
        ' ~ loop_control: {loop_var: it, index_var: i, label: "{{ it.n }}!", extended: true}'
        " ~ when: not ansible_loop.first or inventory_hostname == 'web1'"
    ),
)
case(
    "loop in loop_control over extended",
    tasks(
        "one ~ http://h/{{ ansible_loop.index }}of{{ ansible_loop.length }}{{ ansible_loop.previtem | default('-') }}"
        "{{ ansible_loop.nextitem | default('-') }}{{ ansible_loop.allitems | default([]) | length }} ~ loop: [a, b, c] ~ loop_control: {extended: true}"
    ),
)
case("dict label", tasks("one ~ http://h/{{ item.a }} ~ loop: [{a: 1}, {a: 2}]"))
case(
    "nested loop variables",
    tasks('one ~ http://h/{{ item }}{{ other }} ~ loop: [a, b] ~ vars: {other: "{{ item }}{{ item }}"}'),
)
case("names with variables", tasks("one of {{ who }} on {{ inventory_hostname }} ~ http://h/a", more="vars: {who: me}"))
case(
    "become",
    tasks(
        "one ~ http://h/a",
        "two ~ http://h/a ~ become: false",
        "three ~ http://h/a ~ become_user: bob",
        'four ~ http://h/a ~ become_user: "{{ who }}"',
        more="become: true\nvars: {who: eve}",
    ),
)
case(
    "become from variables",
    tasks("one ~ http://h/a", "two ~ http://h/b ~ become: true ~ become_user: bob"),
    files={"group_vars/web.yml": "ansible_become: true\nansible_become_user: deploy\n"},
)
case(
    "become in a block",
    """
    - hosts: web
      gather_facts: false
      tasks:
        - become: true
          become_user: "{{ who }}"
          vars: {who: amy}
          block:
            - {name: one, opslib.runbook.http_check: {url: http://h/a}}
            - {name: two, opslib.runbook.http_check: {url: http://h/a}, vars: {who: ben}}
        - {name: three, opslib.runbook.http_check: {url: http://h/a}}
""",
)
case(
    "blocks",
    """
    - hosts: web
      gather_facts: false
      tasks:
        - when: inventory_hostname != 'web1'
          vars: {x: outer, y: outer}
          block:
            - {name: one, opslib.runbook.http_check: {url: "http://h/{{ x }}{{ y }}"}}
            - vars: {x: inner}
              ignore_errors: true
              block:
                - {name: two, opslib.runbook.http_check: {url: "http://h/{{ x }}{{ y }},boom"}}
        - {name: three, opslib.runbook.http_check: {url: http://h/a}}
""",
)
case(
    "serial",
    tasks("one ~ http://h/boom.web1,{{ ansible_play_batch | join('-') }}", "two ~ http://h/b", more="serial: 2"),
)
case("serial percent", tasks("one ~ http://h/{{ ansible_play_batch | length }}", more="serial: 40%"))
case("serial list", tasks("one ~ http://h/{{ ansible_play_batch | join('-') }}", more="serial: [1, 50%, 1]"))
case(
    "serial, a whole batch fails", tasks("one ~ http://h/boom.web3", more="serial: [1, 1, 1, 2]\norder: reverse_sorted")
)
case(
    "max_fail_percentage exceeded",
    tasks("one ~ http://h/boom.web1", "two ~ http://h/boom.web2", "three ~ http://h/a", more="max_fail_percentage: 30"),
)
case(
    "max_fail_percentage equalled",
    tasks("one ~ http://h/boom.web1,boom.web2", "two ~ http://h/a", more="max_fail_percentage: 40"),
)
case(
    "max_fail_percentage with serial",
    tasks("one ~ http://h/boom.web1", "two ~ http://h/a", more="max_fail_percentage: 40\nserial: 2"),
)
case("any_errors_fatal", tasks("one ~ http://h/boom.web2", "two ~ http://h/a", more="any_errors_fatal: true"))
case(
    "any_errors_fatal, ignored",
    tasks("one ~ http://h/boom.web2 ~ ignore_errors: true", "two ~ http://h/a", more="any_errors_fatal: true"),
)
for order in ("inventory", "reverse_inventory", "sorted", "reverse_sorted"):
    case(
        f"order {order}",
        tasks("one ~ http://h/{{ ansible_play_batch | join('-') }}", more=f"order: {order}\nserial: 2"),
    )
case("two plays", tasks("one ~ http://h/boom.web2") + tasks("two ~ http://h/{{ ansible_play_hosts_all | join('-') }}"))
case("two plays, the first fails everywhere", tasks("one ~ http://h/boom", hosts="web") + tasks("two ~ http://h/a"))
case("a play without hosts", tasks("one ~ http://h/a", hosts="nobody") + tasks("two ~ http://h/a", hosts="db"))
case("limit", tasks("one ~ http://h/a"), "--limit", "web:!web2", limit="web:!web2")
case("hosts is a list", tasks("one ~ http://h/a", hosts="[web, '!web1', db2]"))
case("implicit localhost", tasks("one ~ http://h/a", hosts="localhost"))
case(
    "check",
    tasks("one ~ http://h/a", "two ~ http://h/a ~ check_mode: false", "three ~ http://h/{{ ansible_check_mode }}"),
    "--check",
    check=True,
)
case(
    "check_mode without --check",
    tasks("one ~ http://h/a ~ check_mode: true", "two ~ http://h/{{ ansible_check_mode }}"),
)
TAGGED = tasks(
    "one ~ http://h/a ~ tags: [a]",
    "two ~ http://h/a ~ tags: b,c",
    "three ~ http://h/a",
    "four ~ http://h/a ~ tags: always",
    "five ~ http://h/a ~ tags: never",
    "six ~ http://h/a ~ tags: [never, a]",
    'seven ~ http://h/a ~ tags: "{{ t }}"',
    hosts="web1",
    more="vars: {t: [b, d]}",
)
for number, (chosen, skipped) in enumerate(
    [
        ("a", ""),
        ("b", ""),
        ("", "a"),
        ("", "always"),
        ("never", ""),
        ("untagged", ""),
        ("tagged", ""),
        ("all", "b"),
        ("a,d", "c"),
        ("", "tagged"),
        ("", "all"),
        ("nosuch", ""),
    ]
):
    argv = (["--tags", chosen] if chosen else []) + (["--skip-tags", skipped] if skipped else [])
    case(
        f"tags {number}: {chosen}-{skipped}",
        TAGGED,
        *argv,
        tags=[chosen] if chosen else [],
        skip_tags=[skipped] if skipped else [],
    )
HANDLERS = """
    - hosts: web
      gather_facts: false
      {extra}
      handlers:
        - {{name: first, opslib.runbook.http_check: {{url: http://h/first}}}}
        - {{name: second, opslib.runbook.http_check: {{url: http://h/changed}}, notify: [third, first]}}
        - {{name: third, opslib.runbook.http_check: {{url: http://h/third}}, listen: topic}}
        - {{name: fourth, opslib.runbook.http_check: {{url: http://h/fourth}}, listen: [topic, other]}}
      pre_tasks:
        - {{name: zero, opslib.runbook.http_check: {{url: http://h/changed.web2}}, notify: third}}
      tasks:
        - {{name: one, opslib.runbook.http_check: {{url: http://h/changed.web1}}, notify: second}}
        - {{name: two, opslib.runbook.http_check: {{url: http://h/changed.web3}}, notify: topic}}
        {middle}
        - {{name: three, opslib.runbook.http_check: {{url: "http://h/{{{{ item }}}}"}}, loop: [a, changed.web2],
           notify: "{{{{ 'first' if item == 'a' else 'other' }}}}"}}
        - {{name: four, opslib.runbook.http_check: {{url: http://h/boom.web3}}}}
      post_tasks:
        - {{name: five, opslib.runbook.http_check: {{url: http://h/changed.web1}}, notify: first}}
        - {{name: six, opslib.runbook.http_check: {{url: http://h/changed.web1}}, notify: first}}
"""
case("handlers", HANDLERS.format(extra="", middle=""))
case("handlers flushed", HANDLERS.format(extra="", middle="- meta: flush_handlers"))
case(
    "handlers flushed on some hosts",
    HANDLERS.format(extra="", middle="- {meta: flush_handlers, when: inventory_hostname == 'web1'}"),
)
case("handlers forced", HANDLERS.format(extra="force_handlers: true", middle=""))
case("handlers forced and flushed", HANDLERS.format(extra="force_handlers: true", middle="- meta: flush_handlers"))
case(
    "a handler fails",
    """
    - hosts: web
      gather_facts: false
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/boom.web1}}
        - {name: second, opslib.runbook.http_check: {url: http://h/b}}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: [second, first]}
      post_tasks:
        - {name: two, opslib.runbook.http_check: {url: http://h/b}}
""",
)
case(
    "a handler fails, forced",
    """
    - hosts: web
      gather_facts: false
      force_handlers: true
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/boom.web1}}
        - {name: second, opslib.runbook.http_check: {url: http://h/b}}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: [second, first]}
        - {name: two, opslib.runbook.http_check: {url: http://h/boom.web2}}
      post_tasks:
        - {name: three, opslib.runbook.http_check: {url: http://h/b}}
""",
)
case(
    "a file to include is missing on some hosts",
    """
    - hosts: web
      gather_facts: false
      tasks:
        - {name: here, include_tasks: "{{ inventory_hostname }}.yml"}
        - {name: end, opslib.runbook.http_check: {url: http://h/z}}
""",
    files={
        "web1.yml": "- {name: first, opslib.runbook.http_check: {url: http://h/a}}\n",
        "web3.yml": "- {name: third, opslib.runbook.http_check: {url: http://h/a}}\n",
    },
)
case(
    "a failure that forced handlers follow",
    """
    - hosts: web
      gather_facts: false
      force_handlers: true
      handlers: [{name: h, opslib.runbook.http_check: {url: http://h/h}}]
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: h}
        - {name: wrong, fail: {msg: no}, when: inventory_hostname == 'web2'}
        - {meta: flush_handlers}
        - {name: two, opslib.runbook.http_check: {url: http://h/z}}
""",
)
case(
    "the user of a play from a variable",
    """
    - hosts: web
      gather_facts: false
      remote_user: "{{ u }}"
      vars: {u: bob}
      tasks: [{name: one, opslib.runbook.http_check: {url: "http://h/{{ ansible_user }}"}}]
""",
)
case(
    "handlers of the same name",
    """
    - hosts: web1
      gather_facts: false
      handlers:
        - {name: same, opslib.runbook.http_check: {url: http://h/first}}
        - {name: same, opslib.runbook.http_check: {url: http://h/last}}
        - {name: "named {{ n }}", opslib.runbook.http_check: {url: http://h/named}}
      vars: {n: x}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: [same, named x]}
""",
)
case(
    "an ignored failure notifies nobody",
    """
    - hosts: web1
      gather_facts: false
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/first}}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: "http://h/changed,boom"}, notify: first, ignore_errors: true}
""",
)
case(
    "a loop with an ignored failure notifies nobody",
    """
    - hosts: web
      gather_facts: false
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/first}}
        - {name: second, opslib.runbook.http_check: {url: http://h/second}}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: "http://h/{{ item }}"}, loop: [changed, boom.web1, changed],
           notify: first, ignore_errors: true}
        - {name: two, opslib.runbook.http_check: {url: "http://h/{{ {'a': 'changed'}[item] }}"}, loop: [a, b, a],
           notify: second, ignore_errors: true, when: inventory_hostname == 'web2' or item == 'a'}
        - {name: three, opslib.runbook.http_check: {url: http://h/changed.web3}, notify: first}
""",
)
case(
    "a loop with a failure notifies nobody, forced",
    """
    - hosts: web
      gather_facts: false
      force_handlers: true
      handlers: [{name: first, opslib.runbook.http_check: {url: http://h/first}}]
      tasks:
        - {name: one, opslib.runbook.http_check: {url: "http://h/{{ item }}"}, loop: [changed, boom.web1, changed],
           notify: first}
""",
)
case(
    "items after a failed one that are skipped",
    tasks(
        "one ~ http://h/{{ item }} ~ loop: [skip, a, boom.web1, skip, c] ~ when: item != 'skip'",
        "two ~ http://h/{{ {'a': 'b'}[item] }} ~ loop: [skip, z, skip, a] ~ when: item != 'skip'",
        "three ~ http://h/b ~ when: false",
        hosts="web",
    ),
)
case(
    "handlers that are skipped",
    """
    - hosts: web
      gather_facts: false
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/changed}, when: inventory_hostname == 'web1', notify: second}
        - {name: second, opslib.runbook.http_check: {url: "http://h/{{ item }}"}, loop: [a, b, c], when: item != 'b'}
        - {name: third, opslib.runbook.http_check: {url: http://h/x}, when: false}
        - {name: fourth, opslib.runbook.http_check: {url: "http://h/{{ item }}"}, loop: []}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: first}
        - {name: two, opslib.runbook.http_check: {url: http://h/changed.web2}, notify: [second, fourth]}
        - {name: three, opslib.runbook.http_check: {url: http://h/boom.web3}}
""",
)
case(
    "handlers that are skipped, forced",
    """
    - hosts: web
      gather_facts: false
      force_handlers: true
      handlers:
        - {name: first, opslib.runbook.http_check: {url: http://h/changed}, when: inventory_hostname == 'web1'}
        - {name: second, opslib.runbook.http_check: {url: http://h/x}, when: false}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: first}
        - {name: two, opslib.runbook.http_check: {url: http://h/a}, notify: second}
        - {name: three, opslib.runbook.http_check: {url: http://h/boom.web2}}
""",
)
case(
    "handler in a loop",
    """
    - hosts: web1
      gather_facts: false
      handlers:
        - {name: first, opslib.runbook.http_check: {url: "http://h/{{ item }}"}, loop: [a, b]}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: first}
""",
)
PRECEDENCE = {
    "group_vars/all.yml": "a: all\nb: all\nc: all\nd: all\ne: all\nf: all\ng: all\nh: all\ni: all\n",
    "group_vars/web.yml": "b: group\nc: group\nd: group\ne: group\nf: group\ng: group\nh: group\ni: group\n",
    "host_vars/web1.yml": "c: host\nd: host\ne: host\nf: host\ng: host\nh: host\ni: host\n",
    "files.yml": "e: file\nf: file\ng: file\nh: file\ni: file\n",
    "roles/r/defaults/main.yml": "a: default\nz: default\ny: default\n",
    "roles/r/vars/main.yml": "f: role\ng: role\nh: role\ni: role\ny: role\n",
    "roles/r/tasks/main.yml": """
        - name: in the role
          opslib.runbook.http_check:
            url: "http://h/{{ a }}{{ b }}{{ c }}{{ d }}{{ e }}{{ f }}{{ g }}{{ h }}{{ i }}{{ z }}{{ y }}{{ p }}{{ role_name }}"
          vars: {h: task, i: task}
    """,
}
case(
    "precedence",
    """
    - hosts: web
      gather_facts: false
      vars: {d: play, e: play, f: play, g: play, h: play, i: play}
      vars_files: [files.yml]
      roles:
        - {role: r, p: param, g: param}
        - {role: r, p: second, vars: {g: rolevars}, tags: t}
      tasks:
        - {name: after, opslib.runbook.http_check: {url: "http://h/{{ a }}{{ f }}{{ g }}{{ z | default('no') }}"}}
""",
    "-e",
    "i=extra",
    files=PRECEDENCE,
    extra_vars=["i=extra"],
)
case(
    "import_role and include_role",
    """
    - hosts: web
      gather_facts: false
      vars: {d: play, e: play, p: play}
      tasks:
        - {name: import, import_role: {name: r}, vars: {g: imported}, when: inventory_hostname != 'web2'}
        - {name: include, include_role: {name: r}, vars: {g: included}, when: inventory_hostname != 'web2'}
        - {name: after, opslib.runbook.http_check: {url: "http://h/{{ f }}{{ g }}{{ z | default('no') }}"}}
        - {name: "role {{ item }}", include_role: {name: "{{ item }}"}, loop: [r, s]}
""",
    files={**PRECEDENCE, "roles/s/tasks/main.yml": '- {opslib.runbook.http_check: {url: "http://h/{{ item }}"}}\n'},
)
case(
    "entry points",
    """
    - hosts: web1
      gather_facts: false
      tasks:
        - {import_role: {name: r, tasks_from: other, vars_from: more.yml, defaults_from: less}}
        - {include_role: {name: r, tasks_from: other.yml, handlers_from: hand}}
""",
    files={
        "roles/r/tasks/other.yml": "- {name: x, opslib.runbook.http_check: {url: \"http://h/changed,{{ v | default('no') }}{{ d | default('no') }}\"},"
        " notify: h}\n",
        "roles/r/vars/more.yml": "v: more\n",
        "roles/r/defaults/less.yml": "d: less\n",
        "roles/r/handlers/main.yml": "- {name: h, opslib.runbook.http_check: {url: http://h/main}}\n",
        "roles/r/handlers/hand.yml": "- {name: h, opslib.runbook.http_check: {url: http://h/hand}}\n",
    },
)
case(
    "role dependencies",
    """
    - hosts: web
      gather_facts: false
      roles: [top, {role: base, when: inventory_hostname == 'web1'}, base, top]
""",
    files={
        "roles/top/meta/main.yml": "dependencies: [{role: base, vars: {x: fromtop}}]\n",
        "roles/top/tasks/main.yml": '- {name: top, opslib.runbook.http_check: {url: "http://h/top{{ y }}"}}\n',
        "roles/base/tasks/main.yml": '- {name: base, opslib.runbook.http_check: {url: "http://h/base{{ x }}"}}\n',
        "roles/base/defaults/main.yml": "x: own\ny: exported\n",
    },
)
case(
    "role tags, when, become",
    """
    - hosts: web
      gather_facts: false
      roles:
        - {role: r, tags: [x], when: inventory_hostname != 'web3', become: true, become_user: "{{ u }}", vars: {u: amy}}
      tasks:
        - {name: other, opslib.runbook.http_check: {url: http://h/other}}
""",
    "--tags",
    "x",
    tags=["x"],
    files={
        "roles/r/tasks/main.yml": "- {name: x, opslib.runbook.http_check: {url: http://h/changed}, notify: h, tags: y}\n",
        "roles/r/handlers/main.yml": "- {name: h, opslib.runbook.http_check: {url: http://h/h}}\n",
    },
)
case(
    "handlers of roles",
    """
    - hosts: web1
      gather_facts: false
      handlers: [{name: h, opslib.runbook.http_check: {url: http://h/play}}]
      roles: [r, s]
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/changed}, notify: ["r : h", "s : topic"]}
        - {name: two, opslib.runbook.http_check: {url: http://h/changed}, notify: h}
""",
    files={
        "roles/r/handlers/main.yml": "- {name: h, opslib.runbook.http_check: {url: http://h/r}}\n",
        "roles/s/handlers/main.yml": "- {name: k, opslib.runbook.http_check: {url: http://h/s}, listen: topic}\n",
    },
)
SPEC = {
    "roles/r/meta/argument_specs.yml": """
        argument_specs:
          main:
            short_description: Do it
            options:
              n: {type: int, required: true}
              c: {type: str, choices: [a, b], default: a}
    """,
    "roles/r/tasks/main.yml": '- {name: x, opslib.runbook.http_check: {url: "http://h/{{ n }}"}}\n',
}
case(
    "argument specification",
    """
    - hosts: web
      gather_facts: false
      vars: {n: "{{ '5' if inventory_hostname == 'web1' else 'five' if inventory_hostname == 'web2' else 7 }}"}
      roles: [r]
""",
    files=SPEC,
)
case("argument specification, required", "- {hosts: web, gather_facts: false, roles: [r]}\n", files=SPEC)
case(
    "include_tasks and import_tasks",
    """
    - hosts: web
      gather_facts: false
      vars: {x: play}
      tasks:
        - {name: imported, import_tasks: sub/one.yml, vars: {x: imported}, when: inventory_hostname != 'web2', tags: t}
        - {name: included, include_tasks: sub/one.yml, vars: {x: included}, when: inventory_hostname != 'web2'}
        - {name: looped, include_tasks: "sub/{{ item }}.yml", loop: [one, two], loop_control: {loop_var: item}}
        - {name: other, include_tasks: {file: sub/one.yml, apply: {become: true, become_user: amy}}}
""",
    files={
        "sub/one.yml": "- {name: 'one {{ x }}', opslib.runbook.http_check: {url: \"http://h/{{ x }}{{ item | default('') }}\"}}\n",
        "sub/two.yml": "- include_tasks: deeper.yml\n  vars: {x: two}\n",
        "sub/deeper.yml": '- {name: deeper, opslib.runbook.http_check: {url: "http://h/{{ x }}{{ item }}"}, loop: [p, q]}\n',
    },
)
case(
    "includes differ by host",
    tasks("start ~ http://h/a").rstrip()
    + """
    - {name: by host, include_tasks: "{{ inventory_hostname }}.yml", when: "inventory_hostname in ['web1', 'web2']"}
    - {name: end, opslib.runbook.http_check: {url: http://h/z}}
""",
    files={
        "web1.yml": "- {name: first, opslib.runbook.http_check: {url: http://h/boom}}\n",
        "web2.yml": "- {name: second, opslib.runbook.http_check: {url: http://h/b}}\n- {name: third, opslib.runbook.http_check: {url: http://h/b}}\n",
    },
)
case(
    "import_playbook",
    """
    - import_playbook: more/other.yml
      vars: {x: imported}
      when: inventory_hostname != 'web1'
      tags: t
    - {hosts: web, gather_facts: false, tasks: [{name: last, opslib.runbook.http_check: {url: "http://h/{{ g | default('no') }}"}}]}
""",
    files={
        "more/other.yml": """
        - hosts: web
          gather_facts: false
          roles: [r]
          tasks: [{name: one, opslib.runbook.http_check: {url: "http://h/{{ x }}{{ g }}"}}]
    """,
        "more/group_vars/all.yml": "g: beside\n",
        "more/roles/r/tasks/main.yml": "- {name: role, opslib.runbook.http_check: {url: http://h/r}}\n",
    },
)
case(
    "assert, fail, debug",
    """
    - hosts: web
      gather_facts: false
      vars: {n: 5}
      tasks:
        - {name: say, debug: {msg: "{{ n }}"}}
        - {name: show, ansible.builtin.debug: {var: n}}
        - {name: loud, debug: {msg: x, verbosity: 2}}
        - {name: holds, assert: {that: [n == 5, "inventory_hostname is defined"]}}
        - {name: holds not, assert: {that: "inventory_hostname != 'web1'", fail_msg: wrong host}}
        - {name: give up, fail: {msg: no}, when: inventory_hostname == 'web2'}
        - {name: never mind, fail: {msg: no}, ignore_errors: true}
        - {name: end, opslib.runbook.http_check: {url: http://h/z}}
""",
)
case(
    "undefined on some hosts",
    tasks(
        "one ~ http://h/{{ x }}",
        "two ~ http://h/b ~ when: y == 1 ~ ignore_errors: true",
        "three ~ http://h/c",
        'four ~ http://h/{{ item }} ~ loop: "{{ l }}" ~ ignore_errors: true',
        'five ~ http://h/x ~ loop: "{{ l }}" ~ ignore_errors: true',
        'six ~ http://h/x ~ loop: "{{ l }}" ~ when: false',
    ),
    files={"host_vars/web1.yml": "x: a\ny: 1\nl: [a]\n", "host_vars/db1.yml": "x: a\n"},
)
case("module_defaults", tasks("one ~ http://h/a", more="module_defaults: {opslib.runbook.http_check: {method: HEAD}}"))
case(
    "omit",
    """
    - hosts: web
      gather_facts: false
      tasks:
        - name: one
          opslib.runbook.http_check: {url: http://h/a, method: "{{ omit }}", timeout: "{{ t | default(omit) }}"}
          become_user: "{{ omit }}"
          become: "{{ inventory_hostname == 'web1' }}"
""",
)
case(
    "args splat",
    """
    - hosts: web1
      gather_facts: false
      vars: {given: {url: http://h/splat}}
      tasks:
        - {name: one, opslib.runbook.http_check: {url: http://h/x}, args: {url: http://h/args}}
        - {name: two, action: opslib.runbook.http_check url=http://h/kv}
        - {name: three, action: {module: opslib.runbook.http_check, url: http://h/mod}}
        - {name: four, opslib.runbook.http_check: "{{ given }}"}
""",
)
case(
    "collections keyword",
    """
    - hosts: web1
      gather_facts: false
      collections: [opslib.runbook]
      tasks: [{name: one, http_check: {url: http://h/a}}]
""",
)
case(
    "other hosts' variables",
    tasks(
        "one ~ http://h/{{ hostvars['web2'].x }}{{ groups['db'] | join('-') }}{{ hostvars[groups['db'][0]].y }}",
        hosts="web",
    ),
    files={"host_vars/web2.yml": "x: two\n", "group_vars/db.yml": "y: 'is-{{ inventory_hostname }}'\n"},
)
case(
    "connection variables in templates",
    tasks(
        "one ~ http://h/{{ ansible_host }}{{ ansible_connection }}{{ ansible_port | default('no') }}"
        "{{ ansible_user | default('nobody') }}",
        "two ~ http://h/{{ ansible_host }}{{ item }} ~ loop: [a]",
        hosts="web",
    ),
    files={"host_vars/web1.yml": "ansible_port: 2222\n"},
)
case(
    "extra variables",
    tasks("one ~ http://h/{{ a }}{{ b }}{{ c.d }}{{ e }}", hosts="web1"),
    "-e",
    "a=1 b='x-y'",
    "-e",
    '{"c": {"d": [1]}}',
    "-e",
    "@extra.yml",
    files={"extra.yml": "e: '{{ a }}{{ a }}'\n"},
    extra_vars=["a=1 b='x-y'", '{"c": {"d": [1]}}', "@extra.yml"],
)


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory, collection_tree: Path) -> Iterator[oracle.Oracle]:
    """Stock ansible-playbook."""
    made = oracle.Oracle(tmp_path_factory.mktemp("oracle"), collection_tree)
    yield made
    made.close()


@pytest.mark.parametrize("name", CASES)
def test_the_same_as_ansible(
    name: str, stock: oracle.Oracle, collections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, argv, options = CASES[name]
    oracle.write(tmp_path, {"hosts.ini": INVENTORY, **files})
    (tmp_path / "collections").symlink_to(collections)
    monkeypatch.chdir(tmp_path)
    _code, theirs, said = stock.run(["-i", "hosts.ini", "play.yml", *argv], tmp_path)
    extra = options.get("extra_vars")
    with load("play.yml", Inventory.load("hosts.ini"), **options) as compiled:
        mine = oracle.simulate(compiled, check=bool(options.get("check")))
    assert oracle.by_host(mine) == oracle.by_host(theirs), f"{said}\n{extra}"
