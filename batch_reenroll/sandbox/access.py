"""The caller of one request: who it is, what it may do, and how it is refused.

undocumented: the code and the words of a 403, and what becomes of single objects that
a caller may not touch. Here it is so: a store in a container that the caller may not
read is not there for it (left out of lists, 404 by id); a request that would change
anything that the caller may not change is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batch_reenroll.sandbox.exchange import ApiError
from batch_reenroll.sandbox.rights import ALL_RIGHTS, Right, Rights, name_of

FORBIDDEN = "0xA0110403"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    r"""Who sent a request.

    Attributes:
        name: ``DOMAIN\user``.
        rights: What it may do.
        major: Version of Command whose names of rights a refusal gives.
    """

    name: str
    rights: Rights = ALL_RIGHTS
    major: int = 25

    def demand(self, needed: Iterable[Right]) -> None:
        """Let the caller in.

        Raises:
            ApiError: 403; it holds some of ``needed`` nowhere.
        """
        lacking = self.rights.lacking(needed)
        if lacking:
            raise self._refusal([name_of(right, self.major) for right in lacking])

    def demand_in(self, right: Right, container_ids: Iterable[int]) -> None:
        """Let the caller act on stores in these containers (0 = in none).

        Raises:
            ApiError: 403; it lacks ``right`` for one of them.
        """
        for number in sorted(set(container_ids)):
            if not self.rights.may_in(right, number):
                raise self._refusal([name_of(right, self.major, number)])

    @property
    def sees_all(self) -> bool:
        """Whether all stores are there for it."""
        return Right.READ_STORES in self.rights.everywhere

    def sees(self, container_id: int) -> bool:
        """Return whether the stores of a container (0 = of none) are there for it."""
        return self.rights.may_in(Right.READ_STORES, container_id)

    @staticmethod
    def _refusal(names: list[str]) -> ApiError:
        # undocumented: the words; naming the permission is what helps people most.
        message = "The user does not have the required permission: " + ", ".join(names)
        return ApiError(403, FORBIDDEN, message + ".")
