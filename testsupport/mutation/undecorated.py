"""Makes decorated functions visible to mutmut, which leaves out what is decorated: a decorator is applied beside it."""

import libcst as cst

_PLAIN = {"staticmethod", "classmethod"}
"""mutmut sees through these itself."""


def undecorate(source: str) -> str:
    """Return the module with each decorator of a function as an assignment: `f = property(f)`."""
    code: str = cst.parse_module(source).visit(_Undecorating()).code
    return code


class _Undecorating(cst.CSTTransformer):  # type: ignore[misc]  # it has no types where it is not installed
    def leave_FunctionDef(  # noqa: N802 -- libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        """Move the decorators, innermost first, behind the function."""
        decorators = [each.decorator for each in reversed(original_node.decorators)]
        if not decorators or any(isinstance(each, cst.Name) and each.value in _PLAIN for each in decorators):
            return updated_node
        applied = [_apply(decorator, updated_node.name) for decorator in decorators]
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), *applied])


def _apply(decorator: cst.BaseExpression, name: cst.Name) -> cst.SimpleStatementLine:
    call = cst.Call(func=decorator, args=[cst.Arg(name)])
    return cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(name)], call)])
