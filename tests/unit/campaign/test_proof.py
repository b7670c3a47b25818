"""Proof: which inventories show a rotation, and which do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.campaign.making import NOON, aliased, certificate

from batch_reenroll.campaign.nouns import InventoryCertificate
from batch_reenroll.campaign.proof import Before, already_rotated, before, proven
from batch_reenroll.campaign.rows import Row

OLD, NEW, OTHER = "0a" * 20, "0b" * 20, "0c" * 20
LATER = NOON + timedelta(days=40)


def prepared(row: Row, *inventory: InventoryCertificate) -> Row:
    """Return the row as the runner leaves it after a look at the store."""
    seen = before(row, inventory)
    under = seen.under_alias
    return replace(
        row,
        before=seen.certificates,
        thumbprint_before=under.thumbprint if under else None,
        not_before_before=under.not_before if under else None,
    )


class TestBefore:
    def test_every_certificate_is_remembered_by_its_alias(self) -> None:
        seen = before(
            aliased("web"), [certificate("web", OLD), certificate("x", OTHER)]
        )
        assert seen.certificates == {"web": OLD, "x": OTHER}

    def test_the_rows_certificate_is_found_by_alias_in_any_case(self) -> None:
        held = certificate("WEB", OLD)
        assert before(aliased("web"), [held]).under_alias == held

    def test_the_alias_outweighs_the_thumbprint_of_the_manifest(self) -> None:
        row = aliased("web", current_thumbprint=OTHER)
        held = certificate("web", OLD)
        assert before(row, [certificate("x", OTHER), held]).under_alias == held

    def test_without_the_alias_the_manifests_thumbprint_finds_it(self) -> None:
        row = aliased("web", current_thumbprint=OLD)
        held = certificate("x", OLD)
        assert before(row, [held]).under_alias == held

    def test_a_certificate_that_is_not_there_is_not_found(self) -> None:
        assert before(aliased("web"), [certificate("x", OTHER)]).under_alias is None

    def test_an_empty_store_is_remembered_as_such(self) -> None:
        assert before(aliased("web"), []) == Before(certificates={}, under_alias=None)


class TestProvenUnderTheSameAlias:
    ROW = prepared(aliased("web"), certificate("web", OLD), certificate("x", OTHER))

    def test_another_later_certificate_is_the_proof(self) -> None:
        new = certificate("web", NEW, LATER)
        assert proven(self.ROW, [certificate("x", OTHER), new]) == new

    def test_the_alias_may_come_back_in_another_case(self) -> None:
        new = certificate("WEB", NEW, LATER)
        assert proven(self.ROW, [new]) == new

    def test_the_old_certificate_proves_nothing(self) -> None:
        assert proven(self.ROW, [certificate("web", OLD)]) is None

    def test_an_empty_store_proves_nothing(self) -> None:
        assert proven(self.ROW, []) is None

    def test_another_certificate_that_starts_no_later_proves_nothing(self) -> None:
        assert proven(self.ROW, [certificate("web", NEW, NOON)]) is None

    def test_another_certificate_that_starts_earlier_proves_nothing(self) -> None:
        earlier = NOON - timedelta(days=1)
        assert proven(self.ROW, [certificate("web", NEW, earlier)]) is None

    def test_a_start_one_second_later_is_enough(self) -> None:
        new = certificate("web", NEW, NOON + timedelta(seconds=1))
        assert proven(self.ROW, [new]) == new

    def test_a_certificate_that_only_moved_here_from_another_alias_proves_nothing(
        self,
    ) -> None:
        assert proven(self.ROW, [certificate("web", OTHER, LATER)]) is None

    def test_the_old_certificate_kept_under_another_alias_does_not_spoil_the_proof(
        self,
    ) -> None:
        new = certificate("web", NEW, LATER)
        assert proven(self.ROW, [certificate("web_old", OLD), new]) == new

    def test_a_change_under_an_alias_that_was_there_before_proves_nothing(
        self,
    ) -> None:
        held = certificate("web", OLD)
        assert proven(self.ROW, [held, certificate("x", NEW, LATER)]) is None

    def test_the_rows_own_alias_outweighs_a_new_one(self) -> None:
        new = certificate("web", NEW, LATER)
        newer = certificate("fresh", "0d" * 20, LATER + timedelta(days=1))
        assert proven(self.ROW, [newer, new]) == new

    def test_a_new_certificate_without_a_known_start_is_believed(self) -> None:
        new = certificate("web", NEW, None)
        assert proven(self.ROW, [new]) == new


class TestProvenWhereTheAliasIsTheThumbprint:
    """IIS-like store types: the alias changes with the certificate."""

    ROW = prepared(aliased(OLD), certificate(OLD, OLD), certificate(OTHER, OTHER))

    def test_a_later_certificate_under_a_new_alias_is_the_proof(self) -> None:
        new = certificate(NEW, NEW, LATER)
        assert proven(self.ROW, [certificate(OTHER, OTHER), new]) == new

    def test_the_old_one_may_stay_beside_it(self) -> None:
        new = certificate(NEW, NEW, LATER)
        assert proven(self.ROW, [certificate(OLD, OLD), new]) == new

    def test_the_old_one_gone_alone_proves_nothing(self) -> None:
        assert proven(self.ROW, [certificate(OTHER, OTHER, LATER)]) is None

    def test_of_several_new_ones_the_latest_is_meant(self) -> None:
        first = certificate(NEW, NEW, LATER)
        second = certificate("0d" * 20, "0d" * 20, LATER + timedelta(hours=1))
        assert proven(self.ROW, [second, first]) == second

    def test_a_new_one_that_starts_no_later_proves_nothing(self) -> None:
        assert proven(self.ROW, [certificate(NEW, NEW, NOON)]) is None


class TestProvenWhereNothingWasThereBefore:
    @pytest.mark.parametrize("known", [None, {}], ids=["never asked", "empty"])
    def test_any_certificate_under_the_rows_alias_is_new(
        self, known: dict[str, str] | None
    ) -> None:
        new = certificate("web", NEW)
        assert proven(aliased("web", before=known), [new]) == new

    def test_what_an_earlier_attempt_saw_under_the_alias_is_not_new(self) -> None:
        row = aliased("web", thumbprint_before=OLD)
        assert proven(row, [certificate("web", OLD)]) is None

    def test_the_first_inventory_of_a_store_proves_nothing_by_its_other_certificates(
        self,
    ) -> None:
        row = prepared(aliased("web"))
        assert proven(row, [certificate("x", OTHER)]) is None


class TestAlreadyRotated:
    def test_a_row_that_names_no_certificate_never_counts(self) -> None:
        assert already_rotated(aliased("web"), [certificate("web", NEW)]) is None

    def test_the_named_certificate_is_still_there(self) -> None:
        row = aliased("web", current_thumbprint=OLD)
        assert already_rotated(row, [certificate("web", OLD)]) is None

    def test_the_alias_holds_another_certificate(self) -> None:
        row = aliased("web", current_thumbprint=OLD)
        new = certificate("WEB", NEW)
        assert already_rotated(row, [certificate("x", OTHER), new]) == new

    def test_the_alias_holds_another_and_the_named_one_is_kept_elsewhere(self) -> None:
        row = aliased("web", current_thumbprint=OLD)
        new = certificate("web", NEW)
        assert already_rotated(row, [certificate("web_old", OLD), new]) == new

    def test_an_alias_that_is_missing_tells_nothing(self) -> None:
        row = aliased("web", current_thumbprint=OLD)
        assert already_rotated(row, [certificate("x", OTHER)]) is None

    def test_an_alias_that_is_the_thumbprint_is_gone(self) -> None:
        row = aliased(OLD.upper(), current_thumbprint=OLD)
        new = certificate(NEW, NEW)
        assert already_rotated(row, [new]) == new

    def test_an_alias_that_is_the_thumbprint_is_still_there(self) -> None:
        row = aliased(OLD, current_thumbprint=OLD)
        inventory = [certificate(OLD, OLD), certificate(NEW, NEW, LATER)]
        assert already_rotated(row, inventory) is None

    def test_the_named_certificate_moved_to_another_alias(self) -> None:
        row = aliased(OLD, current_thumbprint=OLD)
        assert already_rotated(row, [certificate("web", OLD)]) is None

    def test_a_store_without_certificates_was_not_rotated(self) -> None:
        row = aliased(OLD, current_thumbprint=OLD)
        assert already_rotated(row, []) is None

    def test_what_an_earlier_attempt_saw_outweighs_the_manifest(self) -> None:
        seen = prepared(aliased("web"), certificate("web", OLD))
        row = replace(seen, current_thumbprint=OTHER)
        assert already_rotated(row, [certificate("web", OLD)]) is None

    def test_an_earlier_attempt_that_rotated_the_store_after_all_is_recognised(
        self,
    ) -> None:
        row = prepared(aliased(OLD), certificate(OLD, OLD))
        new = certificate(NEW, NEW, LATER)
        assert already_rotated(row, [new]) == new
