"""How the objects of the model are declared, and read: a class for each object, a field for each directive.

What a field takes stands in its annotation: a kind of `kinds`, a tuple or a table of one, or another object.
A value of the wrong kind is collected and the others are read on, so that a file's mistakes are told all at
once.
"""

from __future__ import annotations

from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    dataclass_transform,
    get_args,
    get_origin,
)

from ioto_server.config.grammar import Grammar, Many, Place, Words
from ioto_server.config.values import WrongValue

Shape = Literal["value", "list", "table", "object", "objects"]
Where = tuple[str | int, ...]


class Fault(NamedTuple):
    """A value that does not fit: `where` are the keys and list indexes that lead to it.

    Without an `error` an object was expected there, or, with `missing`, anything at all. `in_name`: the error
    is in the last key itself.
    """

    where: Where
    error: WrongValue | None = None
    missing: bool = False
    in_name: bool = False

    def __str__(self) -> str:
        why = "is missing" if self.missing else self.error or "is not an object"
        return f"{'.'.join(map(str, self.where))}: {why}"


class Faulty(ValueError):
    """Values do not fit the model: all of them, in the order of its fields."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class Field:
    """A directive as it was declared.

    `shape`: a value, a list of values, a table (names and values of the user's own), an object of directives,
    or a list of such objects. `grammar` reads the value, the items or the table's values, `names` the table's
    names. `nullable`: it may be None. `default` is written as in a file.
    """

    def __init__(
        self, default: Any, help_: str, alias: str | None, since: str, live: bool, example: str | None
    ) -> None:
        self.required = default is ...
        self.default = None if self.required else default
        self.help = help_
        self.since = since
        self.live = live
        self.example = example
        self._alias = alias
        self.attribute = self.key = ""
        self.shape: Shape = "value"
        self.grammar: Grammar | None = None
        self.names: Grammar | None = None
        self.many: Many | None = None
        self.words: Words | None = None
        self.model: type[Section] | None = None
        self.nullable = False

    def bind(self, attribute: str, annotation: Any) -> None:
        """Take from the attribute's name what the key is, and from its type what is read."""
        first, *others = attribute.split("_")
        self.attribute = attribute
        self.key = self._alias or first + "".join(word.capitalize() for word in others)
        self._bind(annotation)

    def _bind(self, annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, Section):
            self.shape, self.model = "object", annotation
            return
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            for about in arguments[1:]:
                if isinstance(about, Grammar):
                    self.grammar = about
                    return
                self.many = about if isinstance(about, Many) else self.many
                self.words = about if isinstance(about, Words) else self.words
            self._bind(arguments[0])
        elif origin is tuple:
            self._bind(arguments[0])
            self.shape = "objects" if self.model else "list"
        elif origin is dict:
            self._bind(arguments[0])
            self.names = self.grammar
            self._bind(arguments[1])
            self.shape = "table"
        else:
            # What is left is "X | None".
            self.nullable = True
            self._bind(next(argument for argument in arguments if argument is not type(None)))

    def read(self, value: Any, place: Place, where: Where, faults: list[Fault]) -> Any:
        """Return the model's value for one of a file; what is wrong about it is added to `faults`."""
        try:
            if self.words:
                value = self.words.expand(value)
            if self.many:
                value = self.many.expand(value)
        except WrongValue as error:
            faults.append(Fault(where, error))
            return None
        if value is None and self.nullable:
            return None
        if self.model:
            if self.shape == "object":
                return self.model.read_into(value, place, where, faults)
            return tuple(
                self.model.read_into(item, place, (*where, index), faults) for index, item in enumerate(value)
            )
        grammar = self.grammar
        assert grammar is not None
        if self.shape == "value":
            return _read(grammar, value, place, where, faults)
        if self.shape == "list":
            return tuple(
                _read(grammar, item, place, (*where, index), faults) for index, item in enumerate(value)
            )
        return self._table(grammar, value, place, where, faults)

    def _table(self, grammar: Grammar, value: Any, place: Place, where: Where, faults: list[Fault]) -> Any:
        if not isinstance(value, dict):
            faults.append(Fault(where))
            return None
        assert self.names is not None
        return {
            _read(self.names, name, place, (*where, name), faults, in_name=True): _read(
                grammar, one, place, (*where, name), faults
            )
            for name, one in value.items()
        }


def _read(
    grammar: Grammar, value: Any, place: Place, where: Where, faults: list[Fault], in_name: bool = False
) -> Any:
    try:
        return grammar.read(value, place)
    except WrongValue as error:
        faults.append(Fault(where, error, in_name=in_name))
        return None


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Section:
    """What all objects of the file have in common.

    A subclass declares its directives as attributes with `directive` and `section`. Its annotations are read
    when it is made: its module must not turn them into strings.
    """

    fields: ClassVar[tuple[Field, ...]] = ()

    def __init_subclass__(cls) -> None:
        fields = []
        for attribute, annotation in cls.__annotations__.items():
            field: Field = cls.__dict__[attribute]
            field.bind(attribute, annotation)
            fields.append(field)
            delattr(cls, attribute)
        cls.fields = tuple(fields)

    def __init__(self, **values: Any) -> None:
        """Make an object from values by attribute, each as the model or as a file has it. Raises `Faulty`."""
        faults: list[Fault] = []
        self._take(values, Place(), (), faults)
        if faults:
            raise Faulty(faults)

    @classmethod
    def read(cls, values: dict[str, Any], place: Place | None = None) -> Self:
        """Make an object from a file's values by key; a key that is no directive has no effect.

        Attributes are taken for keys too. Raises `Faulty` with everything that does not fit.
        """
        faults: list[Fault] = []
        made: Self = cls.read_into(values, place or Place(), (), faults)
        if faults:
            raise Faulty(faults)
        return made

    @classmethod
    def read_into(cls, value: Any, place: Place, where: Where, faults: list[Fault]) -> Any:
        """The same for an object inside of another, at `where` in it; adds to `faults` instead of raising."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            faults.append(Fault(where))
            return None
        made = cls.__new__(cls)
        made._take(value, place, where, faults)
        return made

    def _take(self, values: dict[str, Any], place: Place, where: Where, faults: list[Fault]) -> None:
        taken = self.__dict__
        for field in self.fields:
            at = (*where, field.key)
            if field.key in values:
                value = values[field.key]
            elif field.attribute in values:
                value = values[field.attribute]
            elif field.required:
                faults.append(Fault(at, missing=True))
                continue
            else:
                value = field.default
            taken[field.attribute] = field.read(value, place, at, faults)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values, which are the model's own and are not read."""
        made = self.__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is frozen: `replace` makes a changed copy")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is frozen")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"


def directive(
    default: Any,
    help_: str,
    *,
    alias: str | None = None,
    since: str = "0.1.0",
    live: bool = True,
    example: str | None = None,
) -> Any:
    """Declare a directive.

    `default` is written as in a file (`...` = required, and then `example` is one). `help_` is two lines.
    `live` says whether a reload applies a change to the running server; otherwise it takes a restart.
    """
    return Field(default, help_, alias, since, live, example)


def section(help_: str, *, since: str = "0.1.0") -> Any:
    """Declare an object of directives that is there even when the file does not mention it."""
    return Field({}, help_, None, since, True, None)
