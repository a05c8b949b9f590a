"""The gateway's keys as hashes, found by name whatever the case; a revoked one stays, and its name stays taken."""

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from brand_voice.api_keys import ApiKey
from brand_voice.errors import PeopleError
from brand_voice.people import checked_name, name_key
from brand_voice.store.database import Part
from brand_voice.store.rows import record_of
from brand_voice.store.tables import api_keys

_REMEDY = "brand-voice keys list shows all of them"


class ApiKeys(Part):
    """The API keys of a database."""

    def add_key(self, key: ApiKey, key_hash: str) -> ApiKey:
        """Keep a key's hash under its name.

        Raises:
            PeopleError: the name cannot be one, or is taken.
        """
        key = key.model_copy(update={"name": checked_name(key.name)})
        row = key.model_dump() | {"key": name_key(key.name), "hash": key_hash}
        added = insert(api_keys).on_conflict_do_nothing(index_elements=["key"])
        with self._database.write() as connection:
            if connection.execute(added, row).rowcount == 0:
                raise PeopleError(
                    f"there is a key {key.name!r} already, perhaps in other letters, perhaps revoked",
                    remedy=f"choose another name; {_REMEDY}",
                )
        return key

    def revoke_key(self, name: str) -> None:
        """Let a key in no more, at once, in a running gateway too.

        Raises:
            PeopleError: no such key.
        """
        revoked = update(api_keys).where(api_keys.c.key == name_key(checked_name(name))).values(is_active=False)
        with self._database.write() as connection:
            if connection.execute(revoked).rowcount == 0:
                raise PeopleError(f"there is no key {name!r}", remedy=_REMEDY)

    def api_keys(self) -> dict[str, ApiKey]:
        """All keys by hash, revoked ones included, in the order they were added."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key)
        with self._database.read() as connection:
            return {row["hash"]: record_of(ApiKey, row) for row in connection.execute(query).mappings()}
