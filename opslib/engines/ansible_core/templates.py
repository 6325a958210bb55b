"""Templates, each compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible._internal._templating._engine import TemplateEngine, TemplateOptions

__all__ = ["Engine"]


class Engine(TemplateEngine):  # type: ignore[misc]
    """A template engine that compiles each template once, and shows every template it meets to `watch`.

    watch: gets the text of a template or expression and the variables; what it raises ends the templating, when it
    is no Exception.
    """

    def __init__(
        self,
        loader: Any = None,
        variables: Any = None,
        variables_factory: Any = None,
        marker_behavior: Any = None,
        watch: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        super().__init__(
            loader=loader, variables=variables, variables_factory=variables_factory, marker_behavior=marker_behavior
        )
        self.watch = watch
        self.compiled: dict[tuple[Any, ...], Any] = {}

    def extend(self, marker_behavior: Any = None) -> Engine:
        """Return an engine like this one with another way of treating what is undefined."""
        wider: Engine = super().extend(marker_behavior)
        wider.watch = self.watch
        return wider

    def _compile_template(self, template: Any, options: Any) -> Any:
        return self._once("template", template, options, super()._compile_template)

    def _compile_expression(self, expression: Any, options: Any) -> Any:
        return self._once("expression", expression, options, super()._compile_expression)

    def _once(self, kind: str, text: Any, options: Any, make: Callable[[Any, Any], Any]) -> Any:
        if self.watch is not None:
            self.watch(text, self.available_variables)
        if options is not TemplateOptions.DEFAULT and isinstance(options.value_for_omit, dict):
            return make(text, options)
        key = (kind, text, options)
        if key not in self.compiled:
            self.compiled[key] = make(text, options)
        return self.compiled[key]
