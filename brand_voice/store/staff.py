"""The people of a workspace: who may sign in to the app, and as what.

A person is found by name, whatever the case. Nobody is ever deleted, since names stand on verdicts and votes. As soon
as there is anybody, there is an active admin: what would leave none is refused.
"""

from typing import Any

from sqlalchemy import Connection, and_, func, select, update
from sqlalchemy.dialects.sqlite import insert

from brand_voice.errors import PeopleError
from brand_voice.people import Person, Role, checked_name, name_key
from brand_voice.store.database import Part
from brand_voice.store.rows import record_of
from brand_voice.store.tables import people

_IS_ADMIN = and_(people.c.is_active, people.c.role == "admin")


class Staff(Part):
    """The people of a database."""

    def add_person(self, name: str, role: Role, password_hash: str) -> Person:
        """Add somebody.

        Raises:
            PeopleError: the name cannot be one or is taken, or the first person is no admin.
        """
        person = Person(name=checked_name(name), role=role)
        row = person.model_dump() | {"key": name_key(name), "password": password_hash}
        added = insert(people).on_conflict_do_nothing(index_elements=["key"])
        with self._database.write() as connection:
            if role != "admin" and not _count_admins(connection):
                raise PeopleError(
                    f"the first person must be an admin, not a {role}: somebody has to look after the workspace",
                    remedy="brand-voice people add NAME --role admin",
                )
            if connection.execute(added, row).rowcount == 0:
                raise PeopleError(
                    f"there is a {name!r} already, perhaps in other letters, perhaps removed",
                    remedy="choose another name; brand-voice people list shows all, brand-voice people restore NAME "
                    "brings a removed one back",
                )
        return person

    def person(self, name: str) -> Person | None:
        """Somebody by name, active or not."""
        row = self._row(name)
        return record_of(Person, row) if row else None

    def password_hash(self, name: str) -> str | None:
        """The hash of an active person's password; None if there is no such person, or none any more."""
        row = self._row(name)
        return row["password"] if row and row["is_active"] else None

    def people(self) -> tuple[Person, ...]:
        """Everybody, in the order they were added."""
        query = select(people).order_by(people.c.created_at, people.c.key)
        with self._database.read() as connection:
            return tuple(record_of(Person, row) for row in connection.execute(query).mappings())

    def change_role(self, name: str, role: Role) -> None:
        """Give somebody another role.

        Raises:
            PeopleError: no such person, or it is the last active admin.
        """
        self._change(name, role=role)

    def change_password(self, name: str, password_hash: str) -> None:
        """Give somebody another password; running apps then ask for it.

        Raises:
            PeopleError: no such person.
        """
        self._change(name, password=password_hash)

    def deactivate(self, name: str) -> None:
        """Let somebody in no more; the name stays on what they did.

        Raises:
            PeopleError: no such person, or it is the last active admin.
        """
        self._change(name, is_active=False)

    def restore(self, name: str) -> None:
        """Let somebody in again, with the role and password of before.

        Raises:
            PeopleError: no such person.
        """
        self._change(name, is_active=True)

    def _row(self, name: str) -> Any:
        key = name_key(name)
        if not key.isprintable():  # nobody's; SQLite would choke on a lone surrogate
            return None
        with self._database.read() as connection:
            return connection.execute(select(people).where(people.c.key == key)).mappings().first()

    def _change(self, name: str, **values: object) -> None:
        changed = update(people).where(people.c.key == name_key(checked_name(name))).values(values)
        with self._database.write() as connection:
            if connection.execute(changed).rowcount == 0:
                raise PeopleError(f"there is no {name!r}", remedy="brand-voice people list shows everybody")
            if not _count_admins(connection):
                raise PeopleError(
                    f"{name} is the last active admin, and a workspace with people needs one",
                    remedy="make somebody else admin first: brand-voice people role NAME admin",
                )


def _count_admins(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(people).where(_IS_ADMIN)).scalar_one()
