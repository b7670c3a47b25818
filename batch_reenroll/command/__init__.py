"""The only room that speaks to Keyfactor Command.

Settings become a :class:`Connection`, :func:`connect` makes a client of it, and the
client gives values of ``campaign.nouns`` and errors of ``errors``. Nothing of HTTP or
JSON leaves this room.
"""

from batch_reenroll.command.client import CommandClient
from batch_reenroll.command.connect import connect
from batch_reenroll.command.connection import (
    AccessToken,
    AuthChoice,
    BasicAuth,
    CertificateAuth,
    ClientCredentials,
    Connection,
    Setting,
    TlsChoice,
)
from batch_reenroll.command.exchange import Seen
from batch_reenroll.command.lookup import Flags
from batch_reenroll.command.profile import ConfigFile, read_config
from batch_reenroll.command.secret import Secret
from batch_reenroll.command.settings import not_configured, resolve

__all__ = [
    "AccessToken",
    "AuthChoice",
    "BasicAuth",
    "CertificateAuth",
    "ClientCredentials",
    "CommandClient",
    "ConfigFile",
    "Connection",
    "Flags",
    "Secret",
    "Seen",
    "Setting",
    "TlsChoice",
    "connect",
    "not_configured",
    "read_config",
    "resolve",
]
