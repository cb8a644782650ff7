"""Named tuples of arrays that compiled code passes as one pointer.

Numba passes a named tuple member by member, and an array as seven numbers, so that eleven arrays are some eighty
arguments of every call, to be written, optimised and pushed onto the stack. `by_reference` stores a tuple in memory
once; from then on it is one pointer. Its fields are read as before (`site.agents`), but cannot be set; a field that is
a named tuple is a reference, too. The memory belongs to the stack frame of the function that calls `by_reference`, so
that a reference must not outlive that call.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model


class Reference(types.Type):
    """A pointer to a named tuple."""

    def __init__(self, tuple_type: Any) -> None:
        self.tuple_type = tuple_type
        name = tuple_type.instance_class.__name__
        super().__init__(name=f"Reference({name} {tuple_type._code})")

    def place_of(self, name: str) -> int:
        """Return the index of a field.

        Raises:
            ValueError: there is no such field.
        """
        return int(self.tuple_type.fields.index(name))


register_model(Reference)(models.OpaqueModel)

_POINTER: Any = ir.IntType(8).as_pointer()


def _field_type(reference: Reference, name: str) -> Any:
    field = reference.tuple_type[reference.place_of(name)]
    return Reference(field) if isinstance(field, types.NamedTuple) else field


@infer_getattr
class _Fields(AttributeTemplate):
    key = Reference

    def generic_resolve(self, value: Any, attr: str) -> Any:  # type: ignore[override]  # numba looks for it by name
        """Return the type of a field, or None if there is no such field."""
        return _field_type(value, attr) if attr in value.tuple_type.fields else None


@lower_getattr_generic(Reference)  # type: ignore[untyped-decorator]
def _read_field(context: Any, builder: Any, reference: Reference, value: Any, name: str) -> Any:
    memory = builder.bitcast(value, context.get_value_type(reference.tuple_type).as_pointer())
    field = cgutils.gep_inbounds(builder, memory, 0, reference.place_of(name))
    if isinstance(_field_type(reference, name), Reference):
        return builder.bitcast(field, _POINTER)
    return builder.load(field)


def _by_reference(typing_context: Any, fields: Any) -> Any:
    """Return a reference to a named tuple; for compiled code only."""
    if not isinstance(fields, types.NamedTuple):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(cgutils.alloca_once_value(builder, arguments[0]), _POINTER)

    return Reference(fields)(fields), generate


by_reference: Any = intrinsic(_by_reference)
