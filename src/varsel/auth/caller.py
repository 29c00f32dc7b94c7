"""Who is calling, as far as a verified credential says so."""

from dataclasses import dataclass

from varsel.errors import NotAuthorised

CREATE_SCOPE = "altinn:serviceowner/notifications.create"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a verified credential; `owner` is None where it names no service owner."""

    owner: str | None
    scopes: frozenset[str]

    def require_scope(self, scope: str) -> None:
        """Compare exactly, case included.

        Raises:
            NotAuthorised: the credential does not carry the scope.
        """
        if scope not in self.scopes:
            raise NotAuthorised("the token does not carry the scope")
