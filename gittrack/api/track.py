"""``@track``: a function's arguments become params, the dict it returns becomes metrics."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from gittrack.core.values import metric_value
from gittrack.errors import InvalidValueError

if TYPE_CHECKING:
    from gittrack.api.run import Run

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def track(
    *, name: str | None = None, experiment: str | None = None, tags: Mapping[str, object] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def track(
    function: Callable[P, R] | None = None,
    *,
    name: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, object] | None = None,
) -> Any:
    """Make each call of a function a run.

    Its arguments become params (defaults included), the numbers in the dict it returns metrics, an exception a failed
    run with its traceback. A call within another run becomes that run's child. The run of a coroutine or a generator
    lasts until that ends.

    Args:
        function: what to track, when used without parentheses.
        name: the run's name; the function's when None.
        experiment: the run's experiment.
        tags: the run's tags.

    Example:
        >>> @gittrack.track  # doctest: +SKIP
        ... def train(lr=0.1, depth=3):
        ...     return {"acc": 0.9}
    """

    def decorate(target: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(target)

        def begun(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
            from gittrack.api.fluent import active_run, start_run

            run = start_run(
                name=name or target.__name__, experiment=experiment, tags=tags, nested=active_run() is not None
            )
            run.log_params(_arguments(signature, args, kwargs))
            return run

        @functools.wraps(target)
        def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
            with begun(args, kwargs) as run:
                result = target(*args, **kwargs)
                _log_result(run, result)
                return result

        @functools.wraps(target)
        async def tracked_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            with begun(args, kwargs) as run:
                result = await cast(Any, target)(*args, **kwargs)
                _log_result(run, result)
                return result

        @functools.wraps(target)
        def tracked_generator(*args: P.args, **kwargs: P.kwargs) -> Any:
            with begun(args, kwargs) as run:
                result = yield from cast(Any, target)(*args, **kwargs)
                _log_result(run, result)
                return result

        if inspect.iscoroutinefunction(target):
            return cast(Callable[P, R], tracked_coroutine)
        return cast(Callable[P, R], tracked_generator) if inspect.isgeneratorfunction(target) else tracked

    return decorate if function is None else decorate(function)


def _arguments(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}  # the call itself is about to raise this, with the caller's own traceback
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(parameter.name)
    arguments.pop("self", None)
    return arguments


def _log_result(run: Run, result: object) -> None:
    if not isinstance(result, Mapping):
        return
    for key, value in result.items():
        try:
            number = metric_value(value)
        except InvalidValueError:
            continue  # a model, a path, a text: only the numbers are metrics
        run.log_metric(str(key), number)
