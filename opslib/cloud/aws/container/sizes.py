"""Which CPU goes with which memory, on each platform, and how people write both."""

from __future__ import annotations

from typing import Any

from opslib.host.params import Kind, ParamError, shown

from .state import Size

__all__ = ["PAIRS", "Cpu", "Memory", "fault"]

_CPU = (256, 512, 1024, 2048, 4096, 8192, 16384)
# https://docs.aws.amazon.com/apprunner/latest/dg/architecture.html
_APP_RUNNER = {
    256: (512, 1024),
    512: (1024,),
    1024: (2048, 3072, 4096),
    2048: (4096, 6144),
    4096: (8192, 10240, 12288),
}
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
_FARGATE = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}
PAIRS = {"app_runner": _APP_RUNNER, "ecs_express": _FARGATE}


class Cpu(Kind):
    """CPU as vCPUs (0.25 to 16, also `2 vCPU`) or as units of 1/1024 (256 to 16384). Canonical: units."""

    label = "number of vCPUs (0.25, 0.5, 1, 2, 4, 8, 16)"
    ansible = "str"

    def __call__(self, value: Any) -> int:
        text = value.strip().lower().removesuffix("vcpu").strip() if isinstance(value, str) else value
        try:
            if isinstance(text, bool) or len(str(text)) > 20:
                raise ValueError
            count = float(text)
        except (TypeError, ValueError):
            raise ParamError(f"{shown(value)} is no {self.label}") from None
        units = count if count >= _CPU[0] else count * 1024
        if units not in _CPU:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return int(units)


class Memory(Kind):
    """Memory in MB, or with a unit: 512M, `4 GB`. Canonical: MB."""

    label = "memory in MB, or as 512M, 4G"
    ansible = "str"

    def __call__(self, value: Any) -> int:
        text, factor = value, 1
        if isinstance(value, str):
            text = value.strip().lower().removesuffix("b")
            factor = 1024 if text.endswith("g") else 1
            text = text.rstrip("mg").strip()
        try:
            if isinstance(text, bool) or len(str(text)) > 20:
                raise ValueError
            found = float(text) * factor
            if found != int(found) or not 1 <= found <= 1 << 20:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise ParamError(f"{shown(value)} is no {self.label}") from None
        return int(found)


def fault(platform: str, size: Size) -> str:
    """Return why a platform has no instances of a size, in words; an empty string when it has."""
    pairs = PAIRS[platform]
    if size.cpu not in pairs:
        return f"{size.cpu / 1024:g} vCPU is not to be had; there is {', '.join(f'{each / 1024:g}' for each in pairs)}"
    if size.memory not in pairs[size.cpu]:
        choices = ", ".join(f"{each / 1024:g}" for each in pairs[size.cpu])
        return f"with {size.cpu / 1024:g} vCPU there is no {size.memory / 1024:g} GB of memory; there is {choices} GB"
    return ""
