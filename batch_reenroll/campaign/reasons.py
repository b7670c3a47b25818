"""Why a row ended as it did: every ``reason_code``, what it means, what to do next.

Codes are part of the contract with scripts: they are added, never renamed. The text
of ``message`` is for people and may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A stable reason code."""

    # before anything is sent
    STORE_UNKNOWN = "store_unknown"
    STORE_AMBIGUOUS = "store_ambiguous"
    STORE_NOT_APPROVED = "store_not_approved"
    STORE_IN_FLIGHT = "store_in_flight"
    ORCHESTRATOR_MISSING = "orchestrator_missing"
    ORCHESTRATOR_UNAPPROVED = "orchestrator_unapproved"
    ORCHESTRATOR_MISMATCH = "orchestrator_mismatch"
    REENROLLMENT_UNSUPPORTED = "reenrollment_unsupported"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_VALUE = "parameter_value"
    PROPERTY_UNKNOWN = "property_unknown"
    AUTHORITY_UNKNOWN = "authority_unknown"
    TEMPLATE_UNKNOWN = "template_unknown"
    FIELD_UNSUPPORTED = "field_unsupported"
    ALIAS_RULE = "alias_rule"
    # what the plan points out without stopping the row
    ORCHESTRATOR_SILENT = "orchestrator_silent"
    ORCHESTRATOR_INCAPABLE = "orchestrator_incapable"
    PROPERTIES_UNLISTED = "properties_unlisted"
    SUBJECT_FRAGILE = "subject_fragile"
    TEMPLATE_NEEDS_APPROVAL = "template_needs_approval"
    ALIAS_UNKNOWN = "alias_unknown"
    EXPIRES_BEFORE_WINDOW = "expires_before_window"
    FIELD_UNCERTAIN = "field_uncertain"
    JOB_PENDING = "job_pending"
    ALREADY_ROTATED = "already_rotated"
    EXCLUDED_BY_LIMIT = "excluded_by_limit"
    EXCLUDED_BY_WAVE = "excluded_by_wave"
    # the POST
    REFUSED = "refused"
    PERMISSION_DENIED = "permission_denied"
    NOT_CARRIED_OUT = "not_carried_out"
    ANSWER_LOST = "answer_lost"
    CONFIRMED_ABSENT = "confirmed_absent"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    UNSETTLED = "unsettled"
    # the job
    RETRIED = "retried"
    WITHDRAWING = "withdrawing"
    CANCELLING = "cancelling"
    WITHDRAWN = "withdrawn"
    TAKEN_BACK = "taken_back"
    ADOPTED = "adopted"
    ADOPTED_IN_DOUBT = "adopted_in_doubt"
    ADOPTED_WRONGLY = "adopted_wrongly"
    TWO_CANDIDATES = "two_candidates"
    JOB_FAILED = "job_failed"
    JOB_WARNING = "job_warning"
    JOB_SUCCEEDED = "job_succeeded"
    JOB_RESULT_UNKNOWN = "job_result_unknown"
    PICKUP_TIMEOUT = "pickup_timeout"
    UNSCHEDULED = "unscheduled"
    JOB_TIMEOUT = "job_timeout"
    # the proof
    ROTATED = "rotated"
    NOT_VERIFIED = "not_verified"
    INVENTORY_UNCHANGED = "inventory_unchanged"
    INVENTORY_UNREADABLE = "inventory_unreadable"
    NO_INVENTORY_SCHEDULE = "no_inventory_schedule"
    AUTHORITY_DIFFERS = "authority_differs"
    SAN_LOST = "san_lost"
    ENDPOINT_SERVES_OLD = "endpoint_serves_old"
    ENDPOINT_SERVES_OTHER = "endpoint_serves_other"
    # the end of the run
    STOPPED = "stopped"
    BREAKER_OPEN = "breaker_open"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reason means and what a person can do."""

    meaning: str
    advice: str


R = Reason

EXPLANATIONS: dict[Reason, Explanation] = {
    R.STORE_UNKNOWN: Explanation(
        "Command has no such certificate store, or the account may not see it.",
        "Check KeystoreId, and the account's read permission on the container.",
    ),
    R.STORE_AMBIGUOUS: Explanation(
        "ClientMachine and StorePath fit more than one store.",
        "Add StoreType, or give KeystoreId.",
    ),
    R.STORE_NOT_APPROVED: Explanation(
        "The store was discovered but never approved, or has no orchestrator.",
        "Approve the store in Command and assign its orchestrator.",
    ),
    R.STORE_IN_FLIGHT: Explanation(
        "Another campaign in this ledger has an unresolved submission for the store.",
        "Resume that campaign first; then run this row again.",
    ),
    R.ORCHESTRATOR_MISSING: Explanation(
        "Command has no such orchestrator.", "Check AgentGuid."
    ),
    R.ORCHESTRATOR_UNAPPROVED: Explanation(
        "The orchestrator is not approved.", "Approve it in Command."
    ),
    R.ORCHESTRATOR_MISMATCH: Explanation(
        "AgentGuid is not the orchestrator that Command has for this store.",
        "Correct AgentGuid, or leave it empty: it is then looked up.",
    ),
    R.REENROLLMENT_UNSUPPORTED: Explanation(
        "Command says that this store cannot be re-enrolled.",
        "Use another way to renew it; see Command's message.",
    ),
    R.PARAMETER_MISSING: Explanation(
        "The store type needs an entry parameter for a reenrollment that the row does "
        "not give.",
        "Add the column JobProperties.<Name> that the message names.",
    ),
    R.PARAMETER_VALUE: Explanation(
        "An entry parameter has a value that the store type does not allow.",
        "Use one of the values that the message names.",
    ),
    R.PROPERTY_UNKNOWN: Explanation(
        "JobProperties holds a name that the store type does not know.",
        "Correct the name; or plan with --ignore property_unknown.",
    ),
    R.AUTHORITY_UNKNOWN: Explanation(
        "Command has no such certificate authority; the job would fail.",
        "Write it as Command shows it: hostname\\logical name.",
    ),
    R.TEMPLATE_UNKNOWN: Explanation(
        "Command has no such certificate template; the job would fail.",
        "Use the template's short name.",
    ),
    R.FIELD_UNSUPPORTED: Explanation(
        "This version of Command does not know a field that the row gives.",
        "Leave the columns out that the message names, or upgrade Command.",
    ),
    R.ALIAS_RULE: Explanation(
        "The store type forbids aliases of one's own, and the row's alias is not the "
        "one that Command has.",
        "Use the alias that the inventory shows, often the certificate's thumbprint.",
    ),
    R.FIELD_UNCERTAIN: Explanation(
        "The row gives a field that this Command may not know, and then ignores.",
        "Try one such store first and look at the new certificate.",
    ),
    R.ORCHESTRATOR_SILENT: Explanation(
        "Command has not heard of the orchestrator for over a day.",
        "See to it that it runs, or its rows will end stalled.",
    ),
    R.ORCHESTRATOR_INCAPABLE: Explanation(
        "The orchestrator does not list a capability for reenrollment of this type.",
        "Check that its extension is installed and approved.",
    ),
    R.PROPERTIES_UNLISTED: Explanation(
        "JobProperties is given, but Command lists none for the store type.",
        "Check that the names are right.",
    ),
    R.SUBJECT_FRAGILE: Explanation(
        "The subject has characters that some orchestrators are known to misread.",
        "Try one such store first and look at the new certificate's subject.",
    ),
    R.TEMPLATE_NEEDS_APPROVAL: Explanation(
        "The template needs somebody's approval; orchestrators do not wait for it.",
        "Expect the job to fail, or use a template without approval.",
    ),
    R.ALIAS_UNKNOWN: Explanation(
        "The store's inventory shows no certificate under this alias.",
        "Check Alias; the job may add a certificate instead of replacing one.",
    ),
    R.EXPIRES_BEFORE_WINDOW: Explanation(
        "The certificate expires while no window is open.",
        "Add a window, or run these rows by themselves before.",
    ),
    R.JOB_PENDING: Explanation(
        "Somebody else's reenrollment of this store is already waiting in Command.",
        "Let it finish; then run this row again.",
    ),
    R.ALREADY_ROTATED: Explanation(
        "The store no longer holds the certificate that was to be replaced, or a "
        "younger one than asked for.",
        "Nothing to do.",
    ),
    R.EXCLUDED_BY_LIMIT: Explanation(
        "The row lies beyond --limit.", "Run remaining.csv when ready."
    ),
    R.EXCLUDED_BY_WAVE: Explanation(
        "The row is not in the wave named by --only-wave.",
        "Run remaining.csv when its wave's turn comes.",
    ),
    R.REFUSED: Explanation(
        "Command refused the request; nothing was scheduled.",
        "Read Command's message, correct the row, run failure.csv.",
    ),
    R.PERMISSION_DENIED: Explanation(
        "The account may not re-enroll this store.",
        "Grant what the message names, for this store's container too.",
    ),
    R.NOT_CARRIED_OUT: Explanation(
        "The request did not reach Command, or was turned away; it is sent again.",
        "Nothing to do.",
    ),
    R.ANSWER_LOST: Explanation(
        "The request left but no answer came; Command's job lists will tell.",
        "Nothing to do yet.",
    ),
    R.CONFIRMED_ABSENT: Explanation(
        "Command's job lists show that the lost request made no job.",
        "Nothing to do: the row is sent again.",
    ),
    R.ATTEMPTS_EXHAUSTED: Explanation(
        "Every attempt ended without a job in Command.",
        "Find out why requests are lost (proxy, load balancer); run failure.csv.",
    ),
    R.UNSETTLED: Explanation(
        "No answer came, and Command's job lists could not tell within the pick-up "
        "timeout whether a job was made.",
        "Look at the store's jobs in Command before anything is sent again.",
    ),
    R.RETRIED: Explanation("A person asked for another attempt.", ""),
    R.WITHDRAWING: Explanation(
        "The row's job still waits; it is being taken back.",
        "Resume the campaign: it looks whether the job is gone.",
    ),
    R.CANCELLING: Explanation(
        "The campaign was stopped; the row's job, which still waits, is being taken "
        "back.",
        "Resume the campaign: the row ends cancelled once its job is gone.",
    ),
    R.WITHDRAWN: Explanation(
        "The job of the earlier attempt is gone; the row is sent again.", ""
    ),
    R.TAKEN_BACK: Explanation(
        "The campaign was stopped and the row's job, which no orchestrator had begun, "
        "was taken back.",
        "To send these rows again: retry --only cancelled.",
    ),
    R.ADOPTED: Explanation("The job was found in Command.", ""),
    R.ADOPTED_IN_DOUBT: Explanation(
        "No answer came, but exactly one new job for the store was found and taken "
        "for ours; somebody else's at the same moment would look the same.",
        "If someone worked on this store by hand at that time, look at the job.",
    ),
    R.ADOPTED_WRONGLY: Explanation(
        "The job first taken for ours belongs to another store.", "Nothing to do."
    ),
    R.TWO_CANDIDATES: Explanation(
        "Two new jobs fit this one submission; nothing tells which is ours.",
        "Look at both jobs in Command; the message names them.",
    ),
    R.JOB_FAILED: Explanation(
        "The orchestrator's job failed.",
        "Read the message; correct CA, template or store; run failure.csv.",
    ),
    R.JOB_WARNING: Explanation(
        "The job ended with a warning; the certificate may or may not be new.",
        "Look at the store, then run failure.csv if it still holds the old one.",
    ),
    R.JOB_SUCCEEDED: Explanation("The job succeeded.", ""),
    R.JOB_RESULT_UNKNOWN: Explanation(
        "The job completed without a result, and the inventory shows no new "
        "certificate.",
        "Look at the job and the store in Command.",
    ),
    R.PICKUP_TIMEOUT: Explanation(
        "No orchestrator took the job within the pick-up timeout.",
        "Check that the orchestrator is up; the job still waits in Command.",
    ),
    R.UNSCHEDULED: Explanation(
        "No orchestrator took the job in time; it was taken back, and nothing of it "
        "waits in Command.",
        "Mend the orchestrator; then retry --only stalled, or run failure.csv.",
    ),
    R.JOB_TIMEOUT: Explanation(
        "The job was taken but did not end within the job timeout.",
        "Look at the orchestrator's log; the job may still end.",
    ),
    R.ROTATED: Explanation(
        "The inventory shows another, later certificate: the rotation is proven.", ""
    ),
    R.NOT_VERIFIED: Explanation(
        "The job succeeded; verification was not asked for.", ""
    ),
    R.INVENTORY_UNCHANGED: Explanation(
        "The job succeeded, but the inventory still shows the old certificate.",
        "Schedule an inventory of the store; then look again.",
    ),
    R.INVENTORY_UNREADABLE: Explanation(
        "The job succeeded, but the inventory could not be read.",
        "Check the message and the account's read permission.",
    ),
    R.NO_INVENTORY_SCHEDULE: Explanation(
        "The job succeeded, but no inventory followed, and the store has no inventory "
        "schedule that would bring one.",
        "Give the store an inventory schedule; then look again.",
    ),
    R.AUTHORITY_DIFFERS: Explanation(
        "The store was rotated, but another CA issued the new certificate.",
        "Check the CA and the enrollment pattern or template; then retry these rows.",
    ),
    R.SAN_LOST: Explanation(
        "The store was rotated, but the new certificate lacks a name that was asked "
        "for, or that the old one had.",
        "Correct SANs, entry parameters or the template; then retry these rows.",
    ),
    R.ENDPOINT_SERVES_OLD: Explanation(
        "The store holds the new certificate, but the row's endpoint still serves the "
        "old one.",
        "Reload the service; then retry these rows: nothing is sent, they are looked "
        "at again.",
    ),
    R.ENDPOINT_SERVES_OTHER: Explanation(
        "The store holds the new certificate, but the row's endpoint serves another "
        "one, neither the new nor the old.",
        "Check the column Endpoint and what stands in front of the service.",
    ),
    R.STOPPED: Explanation(
        "The run ended before this row's turn.", "Resume the campaign."
    ),
    R.BREAKER_OPEN: Explanation(
        "The breaker of the row's orchestrator or CA stopped feeding it after repeated "
        "failures or silence.",
        "Mend what the message names; then run remaining.csv.",
    ),
    R.IN_FLIGHT: Explanation(
        "The job was with Command when the run ended.", "Resume the campaign."
    ),
}
