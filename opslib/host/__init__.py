"""Everything that runs on the target: the runtime, the tasks (`tasks`), and what they share, by what it is about.

This package is sent to hosts, so it uses the standard library only, runs on Python 3.8 and newer, and imports
nothing of opslib outside itself. Imports are kept few: at the size of these tasks, starting Python and importing
(`re` 8 ms, `subprocess` 17 ms, `dataclasses` 25 ms) costs more than the work.
"""
