"""Evidence: is a report folder what the tool wrote, and who signed and approved it.

Pure: files come in as bytes and lines, faults go out. The chain and the canonical form
are computed here a second time, with no code of the writer's.
"""

from batch_reenroll.evidence.approval import (
    Approval,
    approve,
    check_approval,
    read_approval,
)
from batch_reenroll.evidence.document import Digest
from batch_reenroll.evidence.findings import Fault, Faults
from batch_reenroll.evidence.folder import Checked, Folder, check_folder
from batch_reenroll.evidence.keyfile import public_keys, signer_from
from batch_reenroll.evidence.keys import KeyUnusable, PublicKey, Signer, fingerprint
from batch_reenroll.evidence.signature import Signed, signature_files

__all__ = [
    "Approval",
    "Checked",
    "Digest",
    "Fault",
    "Faults",
    "Folder",
    "KeyUnusable",
    "PublicKey",
    "Signed",
    "Signer",
    "approve",
    "check_approval",
    "check_folder",
    "fingerprint",
    "public_keys",
    "read_approval",
    "signature_files",
    "signer_from",
]
